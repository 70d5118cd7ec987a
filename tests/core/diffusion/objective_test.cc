#include "core/diffusion/objective.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "ATen/ATen.h"
#include "core/diffusion/likelihood.h"
#include "core/diffusion/loss_weighting.h"
#include "core/diffusion/parameterization.h"
#include "core/diffusion/scheduler_config.h"
#include "core/diffusion/step_posterior.h"
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
using configs::Weighting;

constexpr int64_t kBatch = 64;

TrainingExample MakeFor(Prediction prediction, const at::Tensor& clean,
                        int64_t first_position = 0) {
  const DiffusionConfig config{.process = DdpmConfig{.prediction = prediction}};
  return MakeObjective(config, kBatch)->MakeExample(clean, /*seed=*/7, first_position);
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
    const TrainingExample example = MakeObjective(config, kBatch)->MakeExample(clean, 3, 0);
    const Formulation formulation = FormulationFrom(config);
    const TimeDistribution times(config, formulation.process, kBatch);
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
    const TrainingExample example = MakeObjective(config, kBatch)->MakeExample(clean, 0, 0);
    EXPECT_NEAR(example.input.std().item<double>(), 1, 0.02);
    EXPECT_NEAR(example.target.std().item<double>(), 1, 0.02);
  }
}

// Ranks and accumulation only regroup examples; what is drawn for each must not notice.
TEST(ObjectiveTest, DrawsBelongToThePosition) {
  const at::Tensor clean = at::rand({6, 1, 3, 3});
  for (const DiffusionConfig& config : AllConfigs()) {
    const auto objective = MakeObjective(config, kBatch);
    const TrainingExample whole = objective->MakeExample(clean, 7, 100);
    const TrainingExample part = objective->MakeExample(clean.narrow(0, 4, 2).contiguous(), 7, 104);
    EXPECT_TRUE(at::equal(whole.input.narrow(0, 4, 2), part.input));
    EXPECT_TRUE(at::equal(whole.timesteps.narrow(0, 4, 2), part.timesteps));
    EXPECT_FALSE(at::equal(whole.input[0], whole.input[1]));
  }
}

TEST(TimeDistributionTest, StepsAreUniform) {
  const at::Tensor clean = at::zeros({20000, 1, 1, 1});
  const at::Tensor times = MakeFor(Prediction::kEpsilon, clean).timesteps;
  const at::Tensor counts = at::bincount(times.div(100, "trunc").to(at::kLong));
  for (int64_t i = 0; i < 10; ++i) {
    EXPECT_NEAR(counts[i].item<int64_t>(), 2000, 5 * 43);  // sqrt(20000 * .1 * .9) = 42.4.
  }
}

TEST(TimeDistributionTest, EdmDrawsTheLogarithmOfSigmaNormally) {
  const DiffusionConfig config{.process = EdmConfig(), .data_sigma = 0.5};
  const TimeDistribution times(config, FormulationFrom(config).process, kBatch);
  double sum = 0, squares = 0;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) {
    const double z = (std::log(times.Draw(1, i)) + 1.2) / 1.2;
    sum += z;
    squares += z * z;
  }
  EXPECT_NEAR(sum / kDraws, 0, 5 / std::sqrt(kDraws));
  EXPECT_NEAR(squares / kDraws, 1, 5 * std::sqrt(2.0 / kDraws));
}

// One image of a batch in each part of the distribution, whatever the seed.
TEST(TimeDistributionTest, StrataCoverEveryBatch) {
  DiffusionConfig config{.process = FlowConfig()};
  config.times.stratified = true;
  const TimeDistribution times(config, FormulationFrom(config).process, kBatch);
  for (uint64_t step = 0; step < 3; ++step) {
    for (int64_t i = 0; i < kBatch; ++i) {
      const double t = times.Draw(9, step * kBatch + i);
      EXPECT_EQ(static_cast<int64_t>(t * kBatch), i);
    }
  }
  EXPECT_NE(times.Draw(9, 0), times.Draw(9, kBatch));
}

// Esser et al. 2024, equation 23: the middle goes to shift / (1 + shift).
TEST(TimeDistributionTest, ShiftMovesTheMedian) {
  const DiffusionConfig config{.process = FlowConfig{.shift = 3}};
  const TimeDistribution times(config, FormulationFrom(config).process, kBatch);
  int below = 0;
  for (int i = 0; i < 10000; ++i) below += times.Draw(0, i) < 0.75 ? 1 : 0;
  EXPECT_NEAR(below, 5000, 5 * 50);
}

DiffusionConfig DrawnByLoss(int64_t steps) {
  return {.process = DdpmConfig{.num_train_timesteps = steps},
          .times = {.distribution = configs::TimeDistribution::kImportance}};
}

// Before losses are known, what they are drawn by says that all are equal.
TEST(TimeDistributionTest, DrawnByLossStepsBeginUniform) {
  TimeDistribution times(DrawnByLoss(10), FormulationFrom(DrawnByLoss(10)).process, kBatch);
  std::vector<double> before;
  for (int i = 0; i < 200; ++i) before.push_back(times.Draw(1, i));
  EXPECT_EQ(times.ImportanceOf(3), 1);
  times.SetFrequencies(LossHistory(10).Frequencies());
  for (int i = 0; i < 200; ++i) EXPECT_EQ(times.Draw(1, i), before[i]);
  EXPECT_EQ(times.ImportanceOf(3), 1);
}

// As many draws of each step as were asked for, and, weighted, the mean of steps drawn uniformly.
TEST(TimeDistributionTest, ImportanceChangesHowOftenAStepIsDrawnAndNotTheMean) {
  constexpr int kDraws = 100000;
  const std::vector<double> frequencies = {3, 0.1, 0.4, 0.5, 1};
  TimeDistribution times(DrawnByLoss(5), FormulationFrom(DrawnByLoss(5)).process, kBatch);
  times.SetFrequencies(frequencies);
  const auto f = [](double t) { return std::exp(-2 * t) + t; };
  std::vector<double> seen(5);
  double sum = 0, squares = 0, uniform = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double t = times.Draw(1, i);
    ++seen[static_cast<size_t>(t)];
    const double value = times.ImportanceOf(t) * f(t);
    sum += value;
    squares += value * value;
  }
  double chi_square = 0;
  for (size_t t = 0; t < 5; ++t) {
    const double expected = kDraws * frequencies[t] / 5;
    chi_square += (seen[t] - expected) * (seen[t] - expected) / expected;
    uniform += f(static_cast<double>(t)) / 5;
  }
  EXPECT_LT(chi_square, 4 + 5 * std::sqrt(8.0));  // Four degrees of freedom.
  const double mean = sum / kDraws;
  EXPECT_NEAR(mean, uniform, 5 * std::sqrt((squares / kDraws - mean * mean) / kDraws));
}

// In every batch a step comes as often as asked for, up to one.
TEST(TimeDistributionTest, StrataCoverStepsDrawnByLoss) {
  DiffusionConfig config = DrawnByLoss(4);
  config.times.stratified = true;
  TimeDistribution times(config, FormulationFrom(config).process, kBatch);
  const std::vector<double> frequencies = {2.6, 0.2, 0.5, 0.7};
  times.SetFrequencies(frequencies);
  for (uint64_t step = 0; step < 5; ++step) {
    std::vector<double> seen(4);
    for (int64_t i = 0; i < kBatch; ++i) {
      ++seen[static_cast<size_t>(times.Draw(2, step * kBatch + i))];
    }
    for (size_t t = 0; t < 4; ++t) EXPECT_NEAR(seen[t], kBatch * frequencies[t] / 4, 1.001);
  }
}

TEST(TimeDistributionTest, NormalQuantilesAreThoseOfTables) {
  EXPECT_NEAR(internal::NormalQuantile(0.5), 0, 1e-12);
  EXPECT_NEAR(internal::NormalQuantile(0.975), 1.959963984540054, 1e-12);
  EXPECT_NEAR(internal::NormalQuantile(0.025), -1.959963984540054, 1e-12);
  EXPECT_NEAR(internal::NormalQuantile(1e-9), -5.997807015007687, 1e-10);
}

// Hang et al. 2023, as numerics.md has it for each prediction: epsilon min(SNR, g) / SNR, v
// min(SNR, g) / (SNR + 1), x_0 min(SNR, g).
TEST(LossWeightTest, MinSnrIsThePapersForEveryPrediction) {
  const configs::LossConfig config{.weighting = Weighting::kMinSnr};
  for (const int64_t t : {0, 10, 129, 130, 131, 500, 999}) {
    for (const Prediction p :
         {Prediction::kEpsilon, Prediction::kSample, Prediction::kVPrediction}) {
      const Formulation formulation = FormulationFrom({.process = DdpmConfig{.prediction = p}});
      const NoiseLevel level = formulation.process->At(static_cast<double>(t));
      const double snr = formulation.process->Snr(static_cast<double>(t));
      const double clipped = std::min(snr, 5.0);
      const double expected = p == Prediction::kEpsilon  ? clipped / snr
                              : p == Prediction::kSample ? clipped
                                                         : clipped / (snr + 1);
      EXPECT_NEAR(LossWeight(config, formulation, level), expected, 1e-9 * expected) << t;
    }
  }
  // The first step with a signal-to-noise ratio below 5.
  const Formulation linear = FormulationFrom({.process = DdpmConfig()});
  EXPECT_DOUBLE_EQ(LossWeight(config, linear, linear.process->At(130)), 1);
  EXPECT_LT(LossWeight(config, linear, linear.process->At(129)), 1);
}

TEST(LossWeightTest, EdmsWeightingIsSimpleForItsPreconditioning) {
  for (const configs::ProcessConfig& process :
       {configs::ProcessConfig(EdmConfig()),
        configs::ProcessConfig(SdeConfig{.prediction = Prediction::kPreconditioned})}) {
    const Formulation formulation = FormulationFrom({.process = process, .data_sigma = 0.7});
    for (const double share : {0.01, 0.2, 0.7}) {
      const NoiseLevel level = formulation.process->At(share * formulation.process->end_time());
      EXPECT_NEAR(LossWeight({.weighting = Weighting::kEdm}, formulation, level), 1, 1e-12);
    }
  }
}

// KD's soft-min-SNR on the preconditioned output is (sigma d)^2 / (sigma^2 + d^2)^2; gamma = 1/d^2.
TEST(LossWeightTest, SoftMinSnrIsCrowsons) {
  const double d = 0.5;
  const Formulation edm = FormulationFrom({.process = EdmConfig(), .data_sigma = d});
  for (const double sigma : {0.01, 0.5, 3.0, 70.0}) {
    const double square = sigma * sigma + d * d;
    EXPECT_NEAR(LossWeight({.weighting = Weighting::kSoftMinSnr, .gamma = 1 / (d * d)}, edm,
                           edm.process->At(sigma)),
                sigma * sigma * d * d / (square * square), 1e-12);
  }
}

// g^2 |score error|^2 for the score, and beta for epsilon's error over sigma^2.
TEST(LossWeightTest, LikelihoodIsTheSquaredDiffusion) {
  const Formulation score =
      FormulationFrom({.process = SdeConfig{.prediction = Prediction::kScore}});
  const Formulation epsilon =
      FormulationFrom({.process = SdeConfig{.prediction = Prediction::kEpsilon}});
  const configs::LossConfig config{.weighting = Weighting::kLikelihood};
  for (const double t : {0.01, 0.3, 1.0}) {
    const NoiseLevel level = score.process->At(t);
    const double beta = 0.1 + 19.9 * t;
    EXPECT_NEAR(LossWeight(config, score, level), beta, 1e-9 * beta);
    EXPECT_NEAR(LossWeight(config, epsilon, level), beta / (level.sigma * level.sigma),
                1e-9 * beta / (level.sigma * level.sigma));
  }
}

TEST(ObjectiveTest, LossIsTheWeightedMeanSquaredError) {
  const at::Tensor clean = at::rand({2, 1, 2, 2});
  const auto simple = MakeObjective({.process = DdpmConfig()}, kBatch);
  const TrainingExample example = simple->MakeExample(clean, 0, 0);
  EXPECT_NEAR(simple->Loss(example.target + 0.5, example).mean.item<double>(), 0.25, 1e-6);

  const auto score =
      MakeObjective({.process = SdeConfig{.prediction = Prediction::kScore}}, kBatch);
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
    EXPECT_FALSE(MakeObjective(config, kBatch)->MakeExample(clean, 3, 0).noise_levels.defined());
    config.loss.uncertainty = true;
    const auto objective = MakeObjective(config, kBatch);
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
  const at::Tensor levels = MakeObjective(zero_snr, kBatch)->MakeExample(clean, 3, 0).noise_levels;
  EXPECT_EQ(levels.max().item<float>(), 5);
}

// Karras et al. 2024, equation 15, on top of any weighting: least, and without a gradient, where u
// is the logarithm of the weighted loss of each image, and there 1 + log E.
TEST(UncertaintyTest, IsLeastAtTheLogarithmOfTheLoss) {
  const DiffusionConfig config{.process = SdeConfig{.prediction = Prediction::kScore},
                               .loss = {.uncertainty = true}};
  const auto objective = MakeObjective(config, kBatch);
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

// Golden values of shared/numerics.md, 1: DDPM's linear schedule.
TEST(StepPosteriorTest, VariancesAreThePapers) {
  const NoiseSchedule schedule = MakeNoiseSchedule(LinearBetas(1000, 1e-4, 0.02));
  EXPECT_NEAR(PosteriorAt(schedule, 1).log_variance, std::log(5.45318766e-5), 1e-7);
  EXPECT_NEAR(PosteriorAt(schedule, 0).log_variance, -9.81672514, 1e-7);
  EXPECT_NEAR(PosteriorAt(schedule, 0).original, 1, 1e-12);
  EXPECT_NEAR(PosteriorAt(schedule, 0).sample, 0, 1e-12);
  EXPECT_NEAR(PosteriorAt(schedule, 999).log_beta, std::log(0.02), 1e-12);
}

// The bins of all levels share out the whole probability.
TEST(StepPosteriorTest, BinsAreAPartition) {
  const at::Tensor levels = at::linspace(-1, 1, 256, at::kDouble);
  for (const double mean : {-1.1, -0.3, 0.0, 0.999}) {
    for (const double log_variance : {-9.0, -3.0, 0.0}) {
      const at::Tensor nll =
          DiscretizedGaussianNll(levels, at::full({256}, mean, at::kDouble),
                                 at::full({256}, log_variance, at::kDouble), 1.0 / 255);
      EXPECT_NEAR(at::exp(-nll).sum().item<double>(), 1, 1e-8) << mean << " " << log_variance;
    }
  }
}

DiffusionConfig BoundConfig(configs::Variance variance, int64_t steps) {
  return {.process = DdpmConfig{.num_train_timesteps = steps,
                                .prediction = Prediction::kSample,
                                .variance = variance},
          .loss = {.weighting = Weighting::kLikelihood},
          .times = {.distribution = configs::TimeDistribution::kImportance}};
}

// A history with kLength losses of each step, of which `loss` is one.
LossHistory HistoryOf(int64_t steps, const std::function<double(int64_t)>& loss) {
  LossHistory history(steps);
  for (int64_t t = 0; t < steps; ++t) {
    for (int i = 0; i < LossHistory::kLength; ++i) history.Add(t, static_cast<float>(loss(t)));
  }
  return history;
}

// For a network that always sees the same image in the noise no term depends on the noise, so that
// those of a batch are those that evaluation adds up.
TEST(BoundObjectiveTest, TheTermsAddUpToTheBoundThatIsEvaluated) {
  constexpr int64_t kSteps = 20;
  const at::Tensor image = at::rand({1, 2, 3, 3}).mul(255).round().div(127.5).sub(1);
  const at::Tensor batch = image.expand({400, 2, 3, 3}).contiguous();
  for (const configs::Variance variance :
       {configs::Variance::kFixedSmall, configs::Variance::kFixedLarge,
        configs::Variance::kLearnedRange}) {
    const DiffusionConfig config = BoundConfig(variance, kSteps);
    const bool learned = variance == configs::Variance::kLearnedRange;
    const auto objective = MakeObjective(config, kBatch);
    const TrainingExample example = objective->MakeExample(batch, 1, 0);
    at::Tensor prediction = at::full_like(batch, 0.25);
    if (learned) prediction = at::cat({prediction, at::full_like(batch, -0.4)}, 1);
    const at::Tensor losses = objective->Loss(prediction, example).of_images;
    std::vector<double> terms(kSteps, -1);
    for (int64_t i = 0; i < 400; ++i) {
      terms[example.timesteps[i].item<int64_t>()] = losses[i].item<double>() / kSteps;
    }
    double bits = 0;
    for (const double term : terms) {
      ASSERT_GE(term, 0);
      bits += term;
    }

    const Denoiser denoiser = [&](const at::Tensor& sample, const NoiseLevel&) {
      Denoised denoised{.original = at::full_like(sample, 0.25)};
      if (learned) denoised.variance = at::full_like(sample, -0.4);
      return denoised;
    };
    const NoiseSchedule schedule = MakeNoiseSchedule(SchedulerConfigFrom(config));
    const VariationalBound bound =
        BoundOf(image, denoiser, *FormulationFrom(config).process, schedule,
                {.variance = variance == configs::Variance::kFixedLarge ? StepVariance::kBeta
                                                                        : StepVariance::kPosterior},
                1, 0);
    const double expected = (bound.nats - bound.prior) / std::log(2.0) / 18;
    EXPECT_NEAR(bits, expected, 1e-4 * expected);
  }
}

// What steps are drawn by changes how noisy the loss is, and not what it is the mean of; drawn in
// proportion to their losses it varies least, which is what it is for.
TEST(BoundObjectiveTest, DrawnByLossTheMeanIsTheSameAndLessNoisy) {
  constexpr int64_t kSteps = 20, kImages = 4000;
  const auto objective = MakeObjective(BoundConfig(configs::Variance::kFixedSmall, kSteps), kBatch);
  const at::Tensor batch = at::full({kImages, 1, 2, 2}, 0.5);
  const auto losses = [&] {
    const TrainingExample example = objective->MakeExample(batch, 1, 0);
    const ExampleLoss loss = objective->Loss(at::zeros_like(batch), example);
    const at::Tensor weighted = (example.importance * loss.of_images).to(at::kDouble);
    EXPECT_NEAR(loss.mean.item<double>(), weighted.mean().item<double>(),
                1e-4 * weighted.mean().item<double>());
    return std::pair(example, weighted);
  };
  const auto [example, uniform] = losses();
  std::vector<double> terms(kSteps);
  for (int64_t i = 0; i < kImages; ++i) {
    terms[example.timesteps[i].item<int64_t>()] = uniform[i].item<double>();
  }
  double mean = 0;
  for (const double term : terms) mean += term / kSteps;
  objective->DrawTimesBy(HistoryOf(kSteps, [&](int64_t t) { return terms[t]; }));
  const auto [second_example, by_loss] = losses();
  const double error = by_loss.std().item<double>() / std::sqrt(1.0 * kImages);
  EXPECT_NEAR(by_loss.mean().item<double>(), mean, 5 * error + 1e-5 * mean);
  EXPECT_LT(by_loss.std().item<double>(), 0.1 * uniform.std().item<double>());
}

// All of the loss is the bound: the mean learns from it too, and where mean and variance are the
// posterior's no step but the first costs anything.
TEST(BoundObjectiveTest, TheBoundAloneTeachesMeanAndVariance) {
  const DiffusionConfig config = BoundConfig(configs::Variance::kLearnedRange, 50);
  const auto objective = MakeObjective(config, kBatch);
  const at::Tensor clean = at::rand({64, 1, 2, 2}) * 2 - 1;
  const TrainingExample example = objective->MakeExample(clean, 5, 0);
  at::Tensor prediction = at::cat({example.target + 0.1, at::zeros_like(clean)}, 1);
  prediction.set_requires_grad(true);
  objective->Loss(prediction, example).mean.backward();
  EXPECT_GT(prediction.grad().abs().min().item<double>(), 0);
  const at::Tensor perfect =
      objective->Loss(at::cat({example.target, at::full_like(clean, -1)}, 1), example).of_images;
  for (int64_t i = 0; i < 64; ++i) {
    if (example.timesteps[i].item<int64_t>() == 0) continue;
    EXPECT_NEAR(perfect[i].item<double>(), 0, 1e-4);
  }
}

// The hybrid loss is the same number however steps are drawn, as long as all are drawn alike.
TEST(HybridObjectiveTest, ImagesLossesHaveTheHybridLossAsTheirMean) {
  DiffusionConfig config{.process = DdpmConfig{.variance = configs::Variance::kLearnedRange}};
  const at::Tensor clean = at::rand({16, 1, 2, 2}) * 2 - 1;
  const auto objective = MakeObjective(config, kBatch);
  const TrainingExample example = objective->MakeExample(clean, 5, 0);
  const at::Tensor prediction = at::rand({16, 2, 2, 2});
  const ExampleLoss loss = objective->Loss(prediction, example);
  EXPECT_FALSE(loss.of_images.defined());
  config.times.distribution = configs::TimeDistribution::kImportance;
  const auto by_loss = MakeObjective(config, kBatch);
  const ExampleLoss same = by_loss->Loss(prediction, by_loss->MakeExample(clean, 5, 0));
  EXPECT_NEAR(same.mean.item<double>(), loss.mean.item<double>(), 1e-5);
  EXPECT_NEAR(same.of_images.mean().item<double>(), loss.mean.item<double>(), 1e-5);
}

TEST(HybridObjectiveTest, TheBoundMovesTheVarianceAlone) {
  const DiffusionConfig config{.process = DdpmConfig{.variance = configs::Variance::kLearnedRange}};
  const auto objective = MakeObjective(config, kBatch);
  const at::Tensor clean = at::rand({8, 1, 2, 2}) * 2 - 1;
  const TrainingExample example = objective->MakeExample(clean, 5, 0);
  at::Tensor prediction = at::cat({example.target + 0.1, at::zeros_like(clean)}, 1);
  prediction.set_requires_grad(true);
  objective->Loss(prediction, example).mean.backward();
  const at::Tensor mean_gradient = prediction.grad().narrow(1, 0, 1);
  // Of the simple loss: 2 * 0.1 / number of values.
  EXPECT_TRUE(at::allclose(mean_gradient, at::full_like(mean_gradient, 0.2 / clean.numel())));
  EXPECT_GT(prediction.grad().narrow(1, 1, 1).abs().min().item<double>(), 0);
}

// With a perfect mean the best variance of a step is the posterior's: -1 of the range.
TEST(HybridObjectiveTest, APerfectMeanWantsThePosteriorVariance) {
  const DiffusionConfig config{.process = DdpmConfig{.variance = configs::Variance::kLearnedRange}};
  const auto objective = MakeObjective(config, kBatch);
  const at::Tensor clean = at::rand({64, 1, 1, 1}) * 2 - 1;
  const TrainingExample example = objective->MakeExample(clean, 5, 0);
  const auto loss_at = [&](double range) {
    return objective->Loss(at::cat({example.target, at::full_like(clean, range)}, 1), example)
        .mean.item<double>();
  };
  EXPECT_LT(loss_at(-1), loss_at(-0.5));
  EXPECT_LT(loss_at(-0.5), loss_at(1));
}

}  // namespace
}  // namespace langevin::diffusion
