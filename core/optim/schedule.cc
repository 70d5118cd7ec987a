#include "core/optim/schedule.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include "absl/strings/str_format.h"
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

namespace {

double HalfLife(const configs::EmaConfig& config, double batch) {
  if (!config.decay.has_value()) return static_cast<double>(config.half_life_images);
  return *config.decay > 0 ? -batch * std::numbers::ln2 / std::log(*config.decay) : 0;
}

// The weight of what the run began with in the average at its end: the product of all steps'
// EmaDecayAt, whose exponents are the sum over steps k of batch / min(half-life, ratio * k *
// batch).
double ShareOfBeginning(const configs::EmaConfig& config, double batch, double images) {
  const double half_life = HalfLife(config, batch);
  if (half_life == 0) return 0;
  double exponent = 0, ramp_steps = 0;
  if (config.rampup_ratio > 0) {
    ramp_steps = std::floor(std::min(images, half_life / config.rampup_ratio) / batch);
    // The sum of 1 / k.
    if (ramp_steps > 0) {
      exponent =
          (std::log(ramp_steps) + std::numbers::egamma + 0.5 / ramp_steps) / config.rampup_ratio;
    }
  }
  exponent += (images - ramp_steps * batch) / half_life;
  return std::pow(0.5, exponent);
}

}  // namespace

std::optional<std::string> FindEmaProblem(const configs::EmaConfig& ema,
                                          const configs::TrainConfig& train) {
  constexpr double kMostShare = 0.05;
  if (!ema.power_std.empty()) return std::nullopt;
  const auto batch = static_cast<double>(train.global_batch);
  const auto images = static_cast<double>(train.total_images);
  const double share = ShareOfBeginning(ema, batch, images);
  if (share < kMostShare) return std::nullopt;
  const std::string field = ema.decay.has_value() ? absl::StrFormat("ema.decay %.9g", *ema.decay)
                                                  : "ema.half_life_images";
  return absl::StrFormat(
      "%s is a half-life of %.0f images, long for a run of %d: at its end %.0f %% of the average, "
      "which is what is sampled and exported, would be the weights it began with; set "
      "ema.half_life_images to %.0f or less, or ema.rampup_ratio to 0.05",
      field, HalfLife(ema, batch), train.total_images, 100 * share, std::ceil(images / 10));
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
