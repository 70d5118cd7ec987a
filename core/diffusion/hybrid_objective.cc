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
enum StepNumber { kSkip, kOut, kOriginal, kSample, kLogVariance, kLogBeta, kIsFirst, kStepNumbers };

class HybridObjective : public DenoisingObjective {
 public:
  HybridObjective(const configs::DiffusionConfig& config, int64_t global_batch)
      : DenoisingObjective(config, global_batch),
        schedule_(MakeNoiseSchedule(SchedulerConfigFrom(config))) {}

  TrainingExample MakeExample(const at::Tensor& clean, uint64_t seed,
                              int64_t first_position) const override {
    TrainingExample example = DenoisingObjective::MakeExample(clean, seed, first_position);
    const int64_t count = clean.size(0);
    example.clean = clean;
    example.steps = at::empty({count, kStepNumbers});
    for (int64_t i = 0; i < count; ++i) {
      const int64_t t = example.timesteps.data_ptr<int64_t>()[i];
      const Preconditioning c = PreconditioningAt(formulation().process->At(static_cast<double>(t)),
                                                  formulation().target, 1);
      const StepPosterior posterior = PosteriorAt(schedule_, t);
      float* numbers = example.steps.data_ptr<float>() + i * kStepNumbers;
      numbers[kSkip] = static_cast<float>(c.skip);
      numbers[kOut] = static_cast<float>(c.out);
      numbers[kOriginal] = static_cast<float>(posterior.original);
      numbers[kSample] = static_cast<float>(posterior.sample);
      numbers[kLogVariance] = static_cast<float>(posterior.log_variance);
      numbers[kLogBeta] = static_cast<float>(posterior.log_beta);
      numbers[kIsFirst] = t == 0 ? 1 : 0;
    }
    return example;
  }

  // The simple loss for the mean, and the bound for the variance, which must not move the mean:
  // there the mean is a constant. The bound is scaled by T / 1000 (their RESCALED_MSE), as its
  // terms are smaller the more steps there are.
  at::Tensor Loss(const at::Tensor& prediction, const TrainingExample& example) const override {
    const int64_t channels = example.input.size(1);
    const at::Tensor mean_output = prediction.narrow(1, 0, channels);
    const at::Tensor range = prediction.narrow(1, channels, channels);
    const auto number = [&](StepNumber which) {
      return example.steps.select(1, which).view({-1, 1, 1, 1});
    };
    const at::Tensor original = number(kSkip) * example.input + number(kOut) * mean_output.detach();
    const at::Tensor mean = number(kOriginal) * original + number(kSample) * example.input;
    const at::Tensor true_mean =
        number(kOriginal) * example.clean + number(kSample) * example.input;
    // Nichol and Dhariwal 2021, equation 15.
    const at::Tensor fraction = (range + 1) / 2;
    const at::Tensor log_variance =
        fraction * number(kLogBeta) + (1 - fraction) * number(kLogVariance);
    const at::Tensor bound = at::where(
        number(kIsFirst) > 0, DiscretizedGaussianNll(example.clean, mean, log_variance, kHalfBin),
        GaussianKl(true_mean, number(kLogVariance), mean, log_variance));
    const double scale =
        static_cast<double>(schedule_.num_train_timesteps()) / 1000 / std::numbers::ln2;
    return DenoisingObjective::Loss(mean_output, example) + scale * bound.mean();
  }

 private:
  const NoiseSchedule schedule_;
};

}  // namespace

std::unique_ptr<Objective> MakeHybridObjective(const configs::DiffusionConfig& config,
                                               int64_t global_batch) {
  return std::make_unique<HybridObjective>(config, global_batch);
}

}  // namespace langevin::diffusion
