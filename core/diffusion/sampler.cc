#include "core/diffusion/sampler.h"

#include <algorithm>
#include <cmath>

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"

namespace langevin::diffusion {
namespace {

// Saharia et al. 2022, section 2.3: clip to a high quantile of an image's own values, then scale
// back into [-1, 1].
at::Tensor ThresholdDynamically(const SchedulerConfig& config, const at::Tensor& original) {
  const at::Tensor flat = original.flatten(1);
  // Where sample_max_value is below 1, clamp gives it for every image.
  const at::Tensor limit = at::clamp(at::quantile(flat.abs(), config.dynamic_thresholding_ratio, 1),
                                     1.0, config.sample_max_value)
                               .unsqueeze(1);
  return (at::clamp(flat, -limit, limit) / limit).view_as(original);
}

}  // namespace

namespace internal {

at::Tensor PredictOriginal(const SchedulerConfig& config, double alpha_bar,
                           const at::Tensor& sample, const at::Tensor& prediction) {
  const double signal = std::sqrt(alpha_bar);
  const double noise = std::sqrt(1 - alpha_bar);
  at::Tensor original;
  if (config.prediction_type == "sample") {
    original = prediction;
  } else if (config.prediction_type == "v_prediction") {
    original = signal * sample - noise * prediction;
  } else {
    original = (sample - noise * prediction) / signal;
  }
  if (config.thresholding) return ThresholdDynamically(config, original);
  if (config.clip_sample) {
    return original.clamp(-config.clip_sample_range, config.clip_sample_range);
  }
  return original;
}

}  // namespace internal

std::vector<int64_t> SamplingTimesteps(const SchedulerConfig& config, int64_t steps) {
  const int64_t total = config.num_train_timesteps;
  std::vector<int64_t> timesteps;
  // nearbyint rounds halves to even, as numpy does.
  if (config.timestep_spacing == "linspace") {
    for (int64_t i = steps - 1; i >= 0; --i) {
      const double value = steps == 1 ? 0.0 : static_cast<double>(i) * (total - 1) / (steps - 1);
      timesteps.push_back(static_cast<int64_t>(std::nearbyint(value)));
    }
  } else if (config.timestep_spacing == "trailing") {
    const double ratio = static_cast<double>(total) / static_cast<double>(steps);
    for (int64_t i = 0; i < steps; ++i) {
      const double value = static_cast<double>(total) - static_cast<double>(i) * ratio;
      timesteps.push_back(static_cast<int64_t>(std::nearbyint(value)) - 1);
    }
  } else {
    const int64_t ratio = total / steps;
    for (int64_t i = steps - 1; i >= 0; --i) timesteps.push_back(i * ratio + config.steps_offset);
  }
  return timesteps;
}

absl::StatusOr<std::unique_ptr<Sampler>> MakeSampler(const std::string& name, int64_t steps,
                                                     const SchedulerConfig& config) {
  if (steps < 1 || steps > config.num_train_timesteps) {
    return absl::InvalidArgumentError(absl::StrCat("--steps ", steps, ": must be from 1 to the ",
                                                   config.num_train_timesteps,
                                                   " time steps the model was trained with"));
  }
  const int64_t largest = SamplingTimesteps(config, steps).front();
  if (largest >= config.num_train_timesteps) {
    return absl::InvalidArgumentError(absl::StrCat(
        "steps_offset ", config.steps_offset, " with ", steps, " steps begins at time step ",
        largest, ", but the model has only ", config.num_train_timesteps, "; give fewer --steps"));
  }
  if (name == "ddim" || name.empty()) return MakeDdimSampler(config, steps);
  if (name == "ddpm") return MakeDdpmSampler(config, steps);
  return absl::InvalidArgumentError(
      absl::StrCat("--sampler ", name, ": must be one of ddim, ddpm"));
}

}  // namespace langevin::diffusion
