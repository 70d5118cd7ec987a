#include "core/diffusion/objective.h"

#include <cmath>
#include <variant>
#include <vector>

#include "ATen/ATen.h"
#include "core/diffusion/parameterization.h"
#include "core/diffusion/scheduler_config.h"
#include "core/diffusion/time_distribution.h"
#include "gtest/gtest.h"

namespace langevin::diffusion {
namespace {

using configs::DdpmConfig;
using configs::DiffusionConfig;
using configs::EdmConfig;
using configs::FlowConfig;
using configs::Prediction;
using configs::SdeConfig;

constexpr int64_t kObjectiveBatch = 64;

TrainingExample MakeFor(Prediction prediction, const at::Tensor& clean,
                        int64_t first_position = 0) {
  const DiffusionConfig config{.process = DdpmConfig{.prediction = prediction}};
  return MakeObjective(config, kObjectiveBatch)->MakeExample(clean, /*seed=*/7, first_position);
}

// Every process with every prediction it allows.
std::vector<DiffusionConfig> AllConfigs() {
  std::vector<DiffusionConfig> configs;
  const auto add = [&](const configs::ProcessConfig& process) {
    configs.push_back({.process = process, .data_sigma = 0.6});
  };
  for (const Prediction p : {Prediction::kEpsilon, Prediction::kSample, Prediction::kVPrediction}) {
    add(DdpmConfig{.prediction = p});
  }
  for (const Prediction p : {Prediction::kPreconditioned, Prediction::kEpsilon, Prediction::kSample,
                             Prediction::kScore}) {
    add(EdmConfig{.prediction = p});
    for (const configs::SdeKind kind :
         {configs::SdeKind::kVp, configs::SdeKind::kSubVp, configs::SdeKind::kVe}) {
      add(SdeConfig{.kind = kind, .prediction = p});
    }
  }
  for (const Prediction p :
       {Prediction::kVelocity, Prediction::kSample, Prediction::kVPrediction}) {
    add(FlowConfig{.prediction = p});
    add(FlowConfig{.path = configs::FlowPath::kTrigonometric, .prediction = p});
  }
  return configs;
}

TEST(ObjectiveTest, NoisyImageIsTheMixtureOfEquationFour) {
  const at::Tensor clean = at::rand({5, 2, 4, 4}) * 2 - 1;
  const TrainingExample epsilon = MakeFor(Prediction::kEpsilon, clean);
  const TrainingExample original = MakeFor(Prediction::kSample, clean);
  const TrainingExample v = MakeFor(Prediction::kVPrediction, clean);
  EXPECT_TRUE(at::equal(original.target, clean));
  const std::vector<double> alphas = MakeNoiseSchedule(SchedulerConfig()).alphas_cumprod;
  for (int64_t i = 0; i < 5; ++i) {
    const double alpha_bar = alphas[epsilon.timesteps[i].item<int64_t>()];
    const double a = std::sqrt(alpha_bar), s = std::sqrt(1 - alpha_bar);
    EXPECT_TRUE(at::allclose(epsilon.input[i], a * clean[i] + s * epsilon.target[i], 1e-5, 1e-5));
    // Salimans and Ho 2022: x_0 = a x_t - s v, epsilon = s x_t + a v.
    EXPECT_TRUE(at::allclose(a * v.input[i] - s * v.target[i], clean[i], 1e-4, 1e-5));
    EXPECT_TRUE(at::allclose(s * v.input[i] + a * v.target[i], epsilon.target[i], 1e-4, 1e-5));
  }
}

// What samplers make of a perfect network is the clean image, for every family.
TEST(ObjectiveTest, APerfectNetworkDenoisesInEveryFamily) {
  const at::Tensor clean = at::rand({32, 1, 2, 2}) * 2 - 1;
  for (const DiffusionConfig& config : AllConfigs()) {
    ASSERT_FALSE(configs::FindProblem(config).has_value()) << configs::FindProblem(config)->message;
    const TrainingExample example =
        MakeObjective(config, kObjectiveBatch)->MakeExample(clean, 3, 0);
    const Formulation formulation = FormulationFrom(config);
    const TimeDistribution times(config, formulation.process, kObjectiveBatch);
    for (int64_t i = 0; i < clean.size(0); ++i) {
      const NoiseLevel level = formulation.process->At(times.Draw(3, i));
      EXPECT_NEAR(example.timesteps[i].item<double>(), level.network_time,
                  1e-6 * std::max(1.0, std::abs(level.network_time)));
      const Preconditioning c =
          PreconditioningAt(level, formulation.target, formulation.data_sigma);
      const at::Tensor sample = example.input[i] / c.in;
      const at::Tensor original = c.skip * sample + c.out * example.target[i];
      // epsilon and score say little of the image where next to nothing of it is left.
      const double tolerance = 2e-6 * (1 + level.sigma / level.alpha);
      EXPECT_LT((original - clean[i]).abs().max().item<double>(), tolerance)
          << config.process->index() << " t " << level.t;
    }
  }
}

// The scheduler that goes with an exported model says what the run learned: the same numbers out of
// it, also through the file, and a run that goes on from the folder learns the same.
TEST(ObjectiveTest, TheExportedSchedulerIsTheSameFormulation) {
  for (const DiffusionConfig& config : AllConfigs()) {
    const SchedulerConfig scheduler = SchedulerConfigFrom(config);
    const absl::StatusOr<SchedulerConfig> read =
        SchedulerConfigFromJson(SchedulerConfigToJson(scheduler), "test");
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, scheduler) << SchedulerConfigToJson(scheduler);
    const absl::StatusOr<Formulation> exported = FormulationFrom(*read);
    ASSERT_TRUE(exported.ok()) << exported.status();
    const Formulation trained = FormulationFrom(config);
    EXPECT_EQ(exported->target, trained.target);
    for (const double share : {0.013, 0.3, 0.9}) {
      const double t = std::floor(share * 1000) / 1000 * trained.process->end_time();
      const NoiseLevel a = trained.process->At(t), b = exported->process->At(t);
      EXPECT_NEAR(a.alpha, b.alpha, 1e-12);
      EXPECT_NEAR(a.sigma, b.sigma, 1e-12 * std::max(1.0, a.sigma));
      EXPECT_NEAR(a.network_time, b.network_time, 1e-9 * std::max(1.0, a.network_time));
      EXPECT_NEAR(PreconditioningAt(a, trained.target, trained.data_sigma).out,
                  PreconditioningAt(b, exported->target, exported->data_sigma).out, 1e-9);
    }
    const absl::StatusOr<DiffusionConfig> resumed = DiffusionConfigFrom(*read);
    ASSERT_TRUE(resumed.ok()) << resumed.status();
    EXPECT_EQ(resumed->process, config.process) << scheduler.class_name;
  }
}

// Karras et al. 2022, section 5: inputs and targets have unit variance at every noise level where
// the data have the standard deviation that was told.
TEST(ObjectiveTest, PreconditioningGivesUnitVariance) {
  const at::Tensor clean = 0.6 * at::randn({512, 1, 8, 8});
  for (const configs::ProcessConfig& process :
       {configs::ProcessConfig(EdmConfig()),
        configs::ProcessConfig(SdeConfig{.prediction = Prediction::kPreconditioned}),
        configs::ProcessConfig(
            SdeConfig{.kind = configs::SdeKind::kVe, .prediction = Prediction::kPreconditioned})}) {
    const DiffusionConfig config{.process = process, .data_sigma = 0.6};
    const TrainingExample example =
        MakeObjective(config, kObjectiveBatch)->MakeExample(clean, 0, 0);
    EXPECT_NEAR(example.input.std().item<double>(), 1, 0.02);
    EXPECT_NEAR(example.target.std().item<double>(), 1, 0.02);
  }
}

// Ranks and accumulation only regroup examples; what is drawn for each must not notice.
TEST(ObjectiveTest, DrawsBelongToThePosition) {
  const at::Tensor clean = at::rand({6, 1, 3, 3});
  for (const DiffusionConfig& config : AllConfigs()) {
    const auto objective = MakeObjective(config, kObjectiveBatch);
    const TrainingExample whole = objective->MakeExample(clean, 7, 100);
    const TrainingExample part = objective->MakeExample(clean.narrow(0, 4, 2).contiguous(), 7, 104);
    EXPECT_TRUE(at::equal(whole.input.narrow(0, 4, 2), part.input));
    EXPECT_TRUE(at::equal(whole.timesteps.narrow(0, 4, 2), part.timesteps));
    EXPECT_FALSE(at::equal(whole.input[0], whole.input[1]));
  }
}

TEST(ObjectiveTest, LossIsTheWeightedMeanSquaredError) {
  const at::Tensor clean = at::rand({2, 1, 2, 2});
  const auto simple = MakeObjective({.process = DdpmConfig()}, kObjectiveBatch);
  const TrainingExample example = simple->MakeExample(clean, 0, 0);
  EXPECT_NEAR(simple->Loss(example.target + 0.5, example).mean.item<double>(), 0.25, 1e-6);

  const auto score =
      MakeObjective({.process = SdeConfig{.prediction = Prediction::kScore}}, kObjectiveBatch);
  const TrainingExample weighted = score->MakeExample(clean, 0, 0);
  // sigma times the score is -epsilon: an error of 1 / sigma is one of 1.
  EXPECT_NEAR(
      score->Loss(weighted.target + at::rsqrt(weighted.weights), weighted).mean.item<double>(), 1,
      1e-5);
}

// What u is told is EDM's own input for EDM, the same for other processes with the same noise
// beside the signal, and finite where there is no signal.
TEST(UncertaintyTest, IsToldTheSignalToNoiseRatio) {
  const at::Tensor clean = at::rand({64, 1, 1, 1});
  for (DiffusionConfig config : AllConfigs()) {
    EXPECT_FALSE(
        MakeObjective(config, kObjectiveBatch)->MakeExample(clean, 3, 0).noise_levels.defined());
    config.loss.uncertainty = true;
    const auto objective = MakeObjective(config, kObjectiveBatch);
    const TrainingExample example = objective->MakeExample(clean, 3, 0);
    const Formulation formulation = FormulationFrom(config);
    for (int64_t i = 0; i < clean.size(0); ++i) {
      const double told = example.noise_levels[i].item<double>();
      EXPECT_NEAR(told, -formulation.process->HalfLogSnr(objective->TimeAt(3, i)) / 4, 1e-5);
    }
    if (std::holds_alternative<EdmConfig>(*config.process)) {
      EXPECT_TRUE(at::allclose(example.noise_levels, example.timesteps));
    }
  }
  const DiffusionConfig zero_snr{.process = DdpmConfig{.num_train_timesteps = 2,
                                                       .prediction = Prediction::kSample,
                                                       .rescale_betas_zero_snr = true},
                                 .loss = {.uncertainty = true}};
  const at::Tensor levels =
      MakeObjective(zero_snr, kObjectiveBatch)->MakeExample(clean, 3, 0).noise_levels;
  EXPECT_EQ(levels.max().item<float>(), 5);
}

// Karras et al. 2024, equation 15, on top of any weighting: least, and without a gradient, where u
// is the logarithm of the weighted loss of each image, and there 1 + log E.
TEST(UncertaintyTest, IsLeastAtTheLogarithmOfTheLoss) {
  const DiffusionConfig config{.process = SdeConfig{.prediction = Prediction::kScore},
                               .loss = {.uncertainty = true}};
  const auto objective = MakeObjective(config, kObjectiveBatch);
  const at::Tensor clean = at::rand({4, 1, 2, 2});
  TrainingExample example = objective->MakeExample(clean, 0, 0);
  const at::Tensor prediction = example.target + at::rand_like(clean) / at::sqrt(example.weights);
  const at::Tensor expected =
      at::log((example.weights * at::square(prediction - example.target)).mean({1, 2, 3}, true));
  example.uncertainty = expected.clone().set_requires_grad(true);
  const at::Tensor least = objective->Loss(prediction, example).mean;
  EXPECT_NEAR(least.item<double>(), 1 + expected.mean().item<double>(), 1e-5);
  least.backward();
  EXPECT_LT(example.uncertainty.grad().abs().max().item<double>(), 1e-6);
  for (const double offset : {-0.5, 0.5}) {
    example.uncertainty = expected + offset;
    EXPECT_NEAR(objective->Loss(prediction, example).mean.item<double>(),
                least.item<double>() + std::exp(-offset) + offset - 1, 1e-5);
  }
}

}  // namespace
}  // namespace langevin::diffusion
