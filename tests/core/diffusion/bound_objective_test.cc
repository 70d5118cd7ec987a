// The objectives that HasBound: the variational bound alone, and the hybrid of it and the simple
// loss.
#include <cmath>
#include <functional>
#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "core/diffusion/likelihood.h"
#include "core/diffusion/objective.h"
#include "core/diffusion/parameterization.h"
#include "core/diffusion/scheduler_config.h"
#include "core/diffusion/step_posterior.h"
#include "gtest/gtest.h"

namespace langevin::diffusion {
namespace {

using configs::DdpmConfig;
using configs::DiffusionConfig;
using configs::Prediction;
using configs::Weighting;

constexpr int64_t kBoundBatch = 64;

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
    const auto objective = MakeObjective(config, kBoundBatch);
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
  const auto objective =
      MakeObjective(BoundConfig(configs::Variance::kFixedSmall, kSteps), kBoundBatch);
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

// The gradient of the loss by a mean that is off by 0.1 everywhere and a variance in the middle of
// its range.
at::Tensor GradientOffTarget(const Objective& objective, const TrainingExample& example) {
  at::Tensor prediction = at::cat({example.target + 0.1, at::zeros_like(example.target)}, 1);
  prediction.set_requires_grad(true);
  objective.Loss(prediction, example).mean.backward();
  return prediction.grad();
}

// All of the loss is the bound: the mean learns from it too, and where mean and variance are the
// posterior's no step but the first costs anything.
TEST(BoundObjectiveTest, TheBoundAloneTeachesMeanAndVariance) {
  const DiffusionConfig config = BoundConfig(configs::Variance::kLearnedRange, 50);
  const auto objective = MakeObjective(config, kBoundBatch);
  const at::Tensor clean = at::rand({64, 1, 2, 2}) * 2 - 1;
  const TrainingExample example = objective->MakeExample(clean, 5, 0);
  const at::Tensor gradient = GradientOffTarget(*objective, example);
  EXPECT_GT(gradient.abs().min().item<double>(), 0);
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
  const auto objective = MakeObjective(config, kBoundBatch);
  const TrainingExample example = objective->MakeExample(clean, 5, 0);
  const at::Tensor prediction = at::rand({16, 2, 2, 2});
  const ExampleLoss loss = objective->Loss(prediction, example);
  EXPECT_FALSE(loss.of_images.defined());
  config.times.distribution = configs::TimeDistribution::kImportance;
  const auto by_loss = MakeObjective(config, kBoundBatch);
  const ExampleLoss same = by_loss->Loss(prediction, by_loss->MakeExample(clean, 5, 0));
  EXPECT_NEAR(same.mean.item<double>(), loss.mean.item<double>(), 1e-5);
  EXPECT_NEAR(same.of_images.mean().item<double>(), loss.mean.item<double>(), 1e-5);
}

TEST(HybridObjectiveTest, TheBoundMovesTheVarianceAlone) {
  const DiffusionConfig config{.process = DdpmConfig{.variance = configs::Variance::kLearnedRange}};
  const auto objective = MakeObjective(config, kBoundBatch);
  const at::Tensor clean = at::rand({8, 1, 2, 2}) * 2 - 1;
  const TrainingExample example = objective->MakeExample(clean, 5, 0);
  const at::Tensor gradient = GradientOffTarget(*objective, example);
  const at::Tensor mean_gradient = gradient.narrow(1, 0, 1);
  // Of the simple loss: 2 * 0.1 / number of values.
  EXPECT_TRUE(at::allclose(mean_gradient, at::full_like(mean_gradient, 0.2 / clean.numel())));
  EXPECT_GT(gradient.narrow(1, 1, 1).abs().min().item<double>(), 0);
}

// With a perfect mean the best variance of a step is the posterior's: -1 of the range.
TEST(HybridObjectiveTest, APerfectMeanWantsThePosteriorVariance) {
  const DiffusionConfig config{.process = DdpmConfig{.variance = configs::Variance::kLearnedRange}};
  const auto objective = MakeObjective(config, kBoundBatch);
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
