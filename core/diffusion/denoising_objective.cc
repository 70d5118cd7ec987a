#include "core/diffusion/denoising_objective.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <variant>
#include <vector>

#include "ATen/ATen.h"
#include "ATen/Parallel.h"
#include "core/base/philox.h"
#include "core/diffusion/loss_weighting.h"

namespace langevin::diffusion {

namespace {

// What u is told: EDM's c_noise, ln(sigma) / 4, of the noise beside a signal of size 1; finite
// where there is no signal or no noise.
double UncertaintyInput(const NoiseLevel& level) {
  constexpr double kMostLog = 20;
  return std::clamp(std::log(level.sigma / level.alpha), -kMostLog, kMostLog) / 4;
}

}  // namespace

TrainingExample TrainingExample::To(const at::Device& device) const {
  const auto move = [&](const at::Tensor& tensor) {
    return tensor.defined() ? tensor.to(device) : tensor;
  };
  return {.input = move(input),
          .timesteps = move(timesteps),
          .target = move(target),
          .weights = move(weights),
          .importance = move(importance),
          .noise_levels = move(noise_levels),
          .uncertainty = move(uncertainty),
          .original_mix = move(original_mix),
          .clean = move(clean),
          .steps = move(steps)};
}

at::Tensor TrainingExample::Original(const at::Tensor& prediction) const {
  const at::Tensor of_input = original_mix.select(1, 0).view({-1, 1, 1, 1});
  const at::Tensor of_prediction = original_mix.select(1, 1).view({-1, 1, 1, 1});
  return of_input * input + of_prediction * prediction;
}

DenoisingObjective::DenoisingObjective(const configs::DiffusionConfig& config, int64_t global_batch)
    : loss_(config.loss),
      formulation_(FormulationFrom(config)),
      times_(config, formulation_.process, global_batch),
      has_steps_(std::holds_alternative<configs::DdpmConfig>(*config.process)),
      has_weights_(!HasBound(config) && (config.loss.weighting != configs::Weighting::kSimple ||
                                         formulation_.target == Target::kScore)),
      has_importance_(configs::TimeDistributionOf(config) ==
                      configs::TimeDistribution::kImportance),
      has_uncertainty_(config.loss.uncertainty) {}

TrainingExample DenoisingObjective::MakeExample(const at::Tensor& clean, uint64_t seed,
                                                int64_t first_position) const {
  const int64_t count = clean.size(0);
  const int64_t values = clean.numel() / count;
  TrainingExample example{.input = at::empty_like(clean),
                          .timesteps = at::empty({count}, has_steps_ ? at::kLong : at::kFloat),
                          .target = at::empty_like(clean),
                          .original_mix = at::empty({count, 2})};
  if (has_weights_) example.weights = at::empty({count, 1, 1, 1});
  if (has_importance_) example.importance = at::empty({count});
  if (has_uncertainty_) example.noise_levels = at::empty({count});
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    std::vector<float> epsilon(values);
    for (int64_t image = begin; image < end; ++image) {
      const uint64_t position = first_position + image;
      const NoiseLevel level = formulation_.process->At(times_.Draw(seed, position));
      const double data_sigma = formulation_.data_sigma;
      const Preconditioning c = PreconditioningAt(level, formulation_.target, data_sigma);
      const TargetMix mix = TargetAt(level, formulation_.target, data_sigma);

      RandomStream(seed, position, RandomPurpose::kTrainingNoise).FillNormal(epsilon);
      const auto signal = static_cast<float>(c.in * level.alpha);
      const auto noise = static_cast<float>(c.in * level.sigma);
      const auto of_original = static_cast<float>(mix.original);
      const auto of_epsilon = static_cast<float>(mix.epsilon);
      const float* original = clean.data_ptr<float>() + image * values;
      float* input = example.input.data_ptr<float>() + image * values;
      float* target = example.target.data_ptr<float>() + image * values;
      for (int64_t i = 0; i < values; ++i) {
        input[i] = signal * original[i] + noise * epsilon[i];
        target[i] = of_original * original[i] + of_epsilon * epsilon[i];
      }

      float* original_mix = example.original_mix.data_ptr<float>() + 2 * image;
      original_mix[0] = static_cast<float>(c.skip / c.in);
      original_mix[1] = static_cast<float>(c.out);
      if (has_steps_) {
        example.timesteps.data_ptr<int64_t>()[image] = static_cast<int64_t>(level.network_time);
      } else {
        example.timesteps.data_ptr<float>()[image] = static_cast<float>(level.network_time);
      }
      if (has_weights_) {
        example.weights.data_ptr<float>()[image] =
            static_cast<float>(LossWeight(loss_, formulation_, level));
      }
      if (has_importance_) {
        example.importance.data_ptr<float>()[image] =
            static_cast<float>(times_.ImportanceOf(level.t));
      }
      if (has_uncertainty_) {
        example.noise_levels.data_ptr<float>()[image] = static_cast<float>(UncertaintyInput(level));
      }
    }
  });
  return example;
}

ExampleLoss DenoisingObjective::Loss(const at::Tensor& prediction,
                                     const TrainingExample& example) const {
  if (!example.weights.defined() && !example.importance.defined() &&
      !example.uncertainty.defined()) {
    return {.mean = at::mse_loss(prediction, example.target), .of_images = {}};
  }
  at::Tensor losses = at::square(prediction - example.target);
  if (example.weights.defined()) losses = example.weights * losses;
  // Karras et al. 2024, equation 15: least where u is the logarithm of the mean loss.
  if (example.uncertainty.defined()) {
    losses = losses * at::exp(-example.uncertainty) + example.uncertainty;
  }
  return MeanOf(losses, example);
}

ExampleLoss DenoisingObjective::MeanOf(const at::Tensor& values, const TrainingExample& example) {
  if (!example.importance.defined()) return {.mean = values.mean(), .of_images = {}};
  const at::Tensor of_images = values.mean({1, 2, 3});
  return {.mean = (example.importance * of_images).mean(), .of_images = of_images.detach()};
}

std::unique_ptr<Objective> MakeObjective(const configs::DiffusionConfig& config,
                                         int64_t global_batch) {
  if (HasBound(config)) return MakeBoundObjective(config, global_batch);
  return std::make_unique<DenoisingObjective>(config, global_batch);
}

}  // namespace langevin::diffusion
