// Samplers on a case whose answer is known: data that are all one image. The perfect network is
// then a formula, and every sampler must land on the image. Step-by-step agreement with diffusers
// is tests/python/sampling_parity_test.py's.
#include "core/diffusion/sampler.h"

#include <cmath>

#include "ATen/ATen.h"
#include "gtest/gtest.h"

namespace langevin::diffusion {
namespace {

// What a perfect network predicts at x_t if all data are `image`.
Predictor PerfectPredictor(const SchedulerConfig& config, const at::Tensor& image) {
  const std::vector<double> alphas = MakeNoiseSchedule(config).alphas_cumprod;
  return [=](const at::Tensor& sample, double timestep) -> at::Tensor {
    const double alpha_bar = alphas[static_cast<size_t>(timestep)];
    const double a = std::sqrt(alpha_bar), s = std::sqrt(1 - alpha_bar);
    const at::Tensor epsilon = (sample - a * image) / s;
    if (config.prediction_type == "sample") return image.expand_as(sample).contiguous();
    if (config.prediction_type == "v_prediction") return a * epsilon - s * image;
    return epsilon;
  };
}

at::Tensor NoNoise(int64_t /*step*/) { return at::zeros({2, 1, 3, 3}); }

TEST(SamplerTest, LandsOnTheImageThatAllDataAre) {
  const at::Tensor image = at::rand({1, 1, 3, 3}) * 2 - 1;
  for (const char* name : {"ddim", "ddpm"}) {
    for (const char* prediction : {"epsilon", "sample", "v_prediction"}) {
      for (const char* spacing : {"leading", "trailing", "linspace"}) {
        SchedulerConfig config;
        config.prediction_type = prediction;
        config.timestep_spacing = spacing;
        const auto sampler = MakeSampler(name, 20, config);
        ASSERT_TRUE(sampler.ok());
        const auto formulation = FormulationFrom(config);
        ASSERT_TRUE(formulation.ok());
        const at::Tensor result =
            (*sampler)->Run(at::randn({2, 1, 3, 3}),
                            MakeDenoiser(*formulation, PerfectPredictor(config, image)), NoNoise);
        EXPECT_TRUE(at::allclose(result, image.expand_as(result), 1e-3, 2e-3))
            << name << " " << prediction << " " << spacing;
      }
    }
  }
}

TEST(SamplerTest, TimestepsAreThoseOfTheThreeSpacings) {
  SchedulerConfig config;
  config.num_train_timesteps = 1000;
  EXPECT_EQ(SamplingTimesteps(config, 4), (std::vector<int64_t>{750, 500, 250, 0}));
  config.steps_offset = 1;
  EXPECT_EQ(SamplingTimesteps(config, 4), (std::vector<int64_t>{751, 501, 251, 1}));
  config.timestep_spacing = "trailing";
  EXPECT_EQ(SamplingTimesteps(config, 4), (std::vector<int64_t>{999, 749, 499, 249}));
  config.timestep_spacing = "linspace";
  EXPECT_EQ(SamplingTimesteps(config, 4), (std::vector<int64_t>{999, 666, 333, 0}));
}

TEST(SamplerTest, WhatCannotBeSampledIsRefused) {
  SchedulerConfig config;
  EXPECT_TRUE(absl::IsInvalidArgument(MakeSampler("ddim", 1001, config).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(MakeSampler("ddim", 0, config).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(MakeSampler("magic", 10, config).status()));
  config.steps_offset = 1;
  EXPECT_TRUE(absl::IsInvalidArgument(MakeSampler("ddim", 1000, config).status()));
}

TEST(SchedulerConfigTest, JsonRoundTripsAndDefaultsAreDiffusers) {
  SchedulerConfig config;
  config.class_name = "DDIMScheduler";
  config.beta_schedule = "scaled_linear";
  config.prediction_type = "v_prediction";
  config.timestep_spacing = "trailing";
  config.rescale_betas_zero_snr = true;
  config.set_alpha_to_one = false;
  const auto read = SchedulerConfigFromJson(SchedulerConfigToJson(config), "f");
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(*read, config);
  const auto defaults = SchedulerConfigFromJson("{\"_class_name\": \"DDPMScheduler\"}", "f");
  ASSERT_TRUE(defaults.ok());
  EXPECT_EQ(*defaults, SchedulerConfig());
}

TEST(SchedulerConfigTest, BadValuesNameFileFieldAndWhatIsAllowed) {
  const auto check = [](const char* json, const char* expected) {
    const auto read = SchedulerConfigFromJson(json, "s.json");
    ASSERT_FALSE(read.ok()) << json;
    EXPECT_TRUE(absl::IsInvalidArgument(read.status()));
    EXPECT_NE(read.status().ToString().find(expected), std::string::npos) << read.status();
  };
  check("[]", "s.json: is not a JSON object");
  check("{\"num_train_timesteps\": 0}", "s.json: field num_train_timesteps: value 0: must be");
  check("{\"num_train_timesteps\": \"x\"}", "value \"x\"");
  check("{\"beta_schedule\": \"magic\"}", "one of linear, scaled_linear");
  check("{\"trained_betas\": [0.1, 2]}", "field trained_betas: value 2");
  check("{\"clip_sample\": 1}", "true or false");
}

}  // namespace
}  // namespace langevin::diffusion
