#include "core/diffusion/objective.h"

#include <cmath>

#include "ATen/ATen.h"
#include "core/diffusion/scheduler_config.h"
#include "gtest/gtest.h"

namespace langevin::diffusion {
namespace {

TrainingExample MakeFor(configs::Prediction prediction, const at::Tensor& clean,
                        int64_t first_position = 0) {
  configs::DdpmConfig config;
  config.prediction = prediction;
  return MakeDdpmObjective(config)->MakeExample(clean, /*seed=*/7, first_position);
}

TEST(DdpmObjectiveTest, NoisyImageIsTheMixtureOfEquationFour) {
  const at::Tensor clean = at::rand({5, 2, 4, 4}) * 2 - 1;
  const TrainingExample epsilon = MakeFor(configs::Prediction::kEpsilon, clean);
  const TrainingExample original = MakeFor(configs::Prediction::kSample, clean);
  const TrainingExample v = MakeFor(configs::Prediction::kVPrediction, clean);
  EXPECT_TRUE(at::equal(original.target, clean));
  const std::vector<double> alphas = MakeNoiseSchedule(SchedulerConfig()).alphas_cumprod;
  for (int64_t i = 0; i < 5; ++i) {
    const double alpha_bar = alphas[epsilon.timesteps[i].item<int64_t>()];
    const double a = std::sqrt(alpha_bar), s = std::sqrt(1 - alpha_bar);
    EXPECT_TRUE(at::allclose(epsilon.noisy[i], a * clean[i] + s * epsilon.target[i], 1e-5, 1e-5));
    // Salimans and Ho 2022: x_0 = a x_t - s v, epsilon = s x_t + a v.
    EXPECT_TRUE(at::allclose(a * v.noisy[i] - s * v.target[i], clean[i], 1e-4, 1e-5));
    EXPECT_TRUE(at::allclose(s * v.noisy[i] + a * v.target[i], epsilon.target[i], 1e-4, 1e-5));
  }
}

// Ranks and accumulation only regroup examples; what is drawn for each must not notice.
TEST(DdpmObjectiveTest, DrawsBelongToThePosition) {
  const at::Tensor clean = at::rand({6, 1, 3, 3});
  const TrainingExample whole = MakeFor(configs::Prediction::kEpsilon, clean, 100);
  const TrainingExample part =
      MakeFor(configs::Prediction::kEpsilon, clean.narrow(0, 4, 2).contiguous(), 104);
  EXPECT_TRUE(at::equal(whole.noisy.narrow(0, 4, 2), part.noisy));
  EXPECT_TRUE(at::equal(whole.timesteps.narrow(0, 4, 2), part.timesteps));
  EXPECT_FALSE(at::equal(whole.target[0], whole.target[1]));
}

TEST(DdpmObjectiveTest, TimesAreUniform) {
  const at::Tensor clean = at::zeros({20000, 1, 1, 1});
  const at::Tensor times = MakeFor(configs::Prediction::kEpsilon, clean).timesteps;
  const at::Tensor counts = at::bincount(times.div(100, "trunc").to(at::kLong));
  for (int64_t i = 0; i < 10; ++i) {
    EXPECT_NEAR(counts[i].item<int64_t>(), 2000, 5 * 43);  // sqrt(20000 * .1 * .9) = 42.4.
  }
}

TEST(DdpmObjectiveTest, LossIsTheMeanSquaredError) {
  const at::Tensor clean = at::rand({2, 1, 2, 2});
  configs::DdpmConfig config;
  const auto objective = MakeDdpmObjective(config);
  const TrainingExample example = objective->MakeExample(clean, 0, 0);
  EXPECT_NEAR(objective->Loss(example.target + 0.5, example).item<double>(), 0.25, 1e-6);
}

}  // namespace
}  // namespace langevin::diffusion
