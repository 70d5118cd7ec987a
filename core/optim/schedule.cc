#include "core/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace langevin::optim {

double LearningRateAt(const configs::OptimizerConfig& config, int64_t images_seen,
                      int64_t total_images) {
  double rate = config.learning_rate;
  if (images_seen < config.warmup_images) {
    rate *= static_cast<double>(images_seen) / static_cast<double>(config.warmup_images);
  }
  const double progress =
      std::min(1.0, static_cast<double>(images_seen) / static_cast<double>(total_images));
  switch (config.schedule) {
    case configs::LearningRateSchedule::kConstant:
      return rate;
    case configs::LearningRateSchedule::kLinearDecay:
      return rate * (1 - progress);
    case configs::LearningRateSchedule::kCosineDecay:
      return rate * 0.5 * (1 + std::cos(std::numbers::pi * progress));
    case configs::LearningRateSchedule::kInverseSqrt:
      return rate / std::sqrt(std::max(1.0, static_cast<double>(images_seen) /
                                                static_cast<double>(config.reference_images)));
  }
  return rate;
}

double EmaDecayAt(const configs::EmaConfig& config, int64_t images_seen, int64_t global_batch) {
  const auto batch = static_cast<double>(global_batch);
  double half_life = static_cast<double>(config.half_life_images);
  if (config.decay.has_value()) {
    if (*config.decay == 0) return 0;
    half_life = -batch * std::numbers::ln2 / std::log(*config.decay);
  }
  if (config.rampup_ratio > 0) {
    half_life = std::min(half_life, config.rampup_ratio * static_cast<double>(images_seen));
  }
  return half_life > 0 ? std::pow(0.5, batch / half_life) : 0;
}

}  // namespace langevin::optim
