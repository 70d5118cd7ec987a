#include "core/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "core/optim/power_ema.h"

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

std::vector<std::string> AverageNames(const configs::EmaConfig& config) {
  if (config.power_std.empty()) return {"ema"};
  std::vector<std::string> names;
  for (const double std : config.power_std) names.push_back(PowerEmaName(std));
  return names;
}

std::vector<double> AverageDecaysAt(const configs::EmaConfig& config, int64_t images_seen,
                                    int64_t global_batch) {
  if (config.power_std.empty()) return {EmaDecayAt(config, images_seen, global_batch)};
  std::vector<double> decays;
  for (const double std : config.power_std) {
    decays.push_back(PowerDecayAt(std, images_seen, global_batch));
  }
  return decays;
}

}  // namespace langevin::optim
