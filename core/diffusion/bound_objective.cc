#include <cmath>
#include <memory>
#include <numbers>
#include <variant>

#include "ATen/ATen.h"
#include "core/diffusion/denoising_objective.h"
#include "core/diffusion/scheduler_config.h"
#include "core/diffusion/step_posterior.h"

namespace langevin::diffusion {
namespace {

// Half the distance of two levels of an 8-bit image in [-1, 1].
constexpr double kHalfBin = 1.0 / 255;

// The numbers of an image's step, columns of TrainingExample::steps.
enum StepNumber {
  kOriginal,
  kSample,
  kLogVariance,  // Of the posterior.
  kLogBeta,
  kFraction,  // Where between the two the variance is that is not learned.
  kIsFirst,
  kStepNumbers
};

class BoundObjective : public DenoisingObjective {
 public:
  BoundObjective(const configs::DiffusionConfig& config, int64_t global_batch)
      : DenoisingObjective(config, global_batch),
        variance_(std::get<configs::DdpmConfig>(*config.process).variance),
        is_hybrid_(config.loss.weighting != configs::Weighting::kLikelihood),
        schedule_(MakeNoiseSchedule(SchedulerConfigFrom(config))),
        scale_(static_cast<double>(schedule_.num_train_timesteps()) / (is_hybrid_ ? 1000 : 1) /
               std::numbers::ln2) {}

  TrainingExample MakeExample(const at::Tensor& clean, uint64_t seed,
                              int64_t first_position) const override {
    TrainingExample example = DenoisingObjective::MakeExample(clean, seed, first_position);
    const int64_t count = clean.size(0);
    example.clean = clean;
    example.steps = at::empty({count, kStepNumbers});
    for (int64_t i = 0; i < count; ++i) {
      const int64_t t = example.timesteps.data_ptr<int64_t>()[i];
      const StepPosterior posterior = PosteriorAt(schedule_, t);
      // With beta, the first step has the posterior's variance of the second (likelihood.h).
      const bool is_beta = variance_ == configs::Variance::kFixedLarge && t > 0;
      float* numbers = example.steps.data_ptr<float>() + i * kStepNumbers;
      numbers[kOriginal] = static_cast<float>(posterior.original);
      numbers[kSample] = static_cast<float>(posterior.sample);
      numbers[kLogVariance] = static_cast<float>(posterior.log_variance);
      numbers[kLogBeta] = static_cast<float>(posterior.log_beta);
      numbers[kFraction] = is_beta ? 1 : 0;
      numbers[kIsFirst] = t == 0 ? 1 : 0;
    }
    return example;
  }

  // L_vlb: T times the mean of the terms is their sum, in bits a value (that of the last step,
  // which nothing can change, is left out). In the hybrid loss the simple loss is for the mean, and
  // a thousandth of the bound for the variance, which must not move the mean: there the mean is a
  // constant.
  ExampleLoss Loss(const at::Tensor& prediction, const TrainingExample& example) const override {
    const at::Tensor mean_output = prediction.narrow(1, 0, example.input.size(1));
    const ExampleLoss bound =
        Bound(is_hybrid_ ? mean_output.detach() : mean_output, prediction, example);
    if (!is_hybrid_) return bound;
    const ExampleLoss simple = DenoisingObjective::Loss(mean_output, example);
    return {
        .mean = simple.mean + bound.mean,
        .of_images = bound.of_images.defined() ? simple.of_images + bound.of_images : at::Tensor()};
  }

 private:
  ExampleLoss Bound(const at::Tensor& mean_output, const at::Tensor& prediction,
                    const TrainingExample& example) const {
    const auto number = [&](StepNumber which) {
      return example.steps.select(1, which).view({-1, 1, 1, 1});
    };
    const at::Tensor original = example.Original(mean_output);
    const at::Tensor mean = number(kOriginal) * original + number(kSample) * example.input;
    const at::Tensor true_mean =
        number(kOriginal) * example.clean + number(kSample) * example.input;
    // Nichol and Dhariwal 2021, equation 15.
    at::Tensor fraction = number(kFraction);
    if (variance_ == configs::Variance::kLearnedRange) {
      const int64_t channels = example.input.size(1);
      fraction = (prediction.narrow(1, channels, channels) + 1) / 2;
    }
    const at::Tensor log_variance =
        fraction * number(kLogBeta) + (1 - fraction) * number(kLogVariance);
    const at::Tensor nats = at::where(
        number(kIsFirst) > 0, DiscretizedGaussianNll(example.clean, mean, log_variance, kHalfBin),
        GaussianKl(true_mean, number(kLogVariance), mean, log_variance));
    ExampleLoss loss = MeanOf(nats, example);
    loss.mean = scale_ * loss.mean;
    if (loss.of_images.defined()) loss.of_images = scale_ * loss.of_images;
    return loss;
  }

  const configs::Variance variance_;
  const bool is_hybrid_;
  const NoiseSchedule schedule_;
  const double scale_;  // Of the bound's terms.
};

}  // namespace

bool HasBound(const configs::DiffusionConfig& config) {
  return configs::LearnsVariance(*config.process) ||
         (std::holds_alternative<configs::DdpmConfig>(*config.process) &&
          config.loss.weighting == configs::Weighting::kLikelihood);
}

std::unique_ptr<Objective> MakeBoundObjective(const configs::DiffusionConfig& config,
                                              int64_t global_batch) {
  return std::make_unique<BoundObjective>(config, global_batch);
}

}  // namespace langevin::diffusion
