#include "core/diffusion/time_distribution.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <variant>

#include "core/base/philox.h"

namespace langevin::diffusion {
namespace {

bool IsLogNormal(const configs::DiffusionConfig& config) {
  return configs::TimeDistributionOf(config) == configs::TimeDistribution::kLogNormal;
}

double ShiftOf(const configs::ProcessConfig& process) {
  const auto* flow = std::get_if<configs::FlowConfig>(&process);
  return flow != nullptr ? flow->shift : 1;
}

int64_t StepsOf(const configs::ProcessConfig& process) {
  const auto* ddpm = std::get_if<configs::DdpmConfig>(&process);
  return ddpm != nullptr ? ddpm->num_train_timesteps : 0;
}

double SmallestOf(const configs::DiffusionConfig& config) {
  return std::holds_alternative<configs::SdeConfig>(*config.process) ? config.times.smallest : 0;
}

}  // namespace

TimeDistribution::TimeDistribution(const configs::DiffusionConfig& config,
                                   std::shared_ptr<const ForwardProcess> process,
                                   int64_t global_batch)
    : process_(std::move(process)),
      kind_(configs::TimeDistributionOf(config)),
      stratified_(config.times.stratified),
      mean_(config.times.mean.value_or(IsLogNormal(config) ? -1.2 : 0)),
      deviation_(config.times.deviation.value_or(IsLogNormal(config) ? 1.2 : 1)),
      smallest_(SmallestOf(config)),
      shift_(ShiftOf(*config.process)),
      steps_(StepsOf(*config.process)),
      global_batch_(global_batch) {}

double TimeDistribution::Draw(uint64_t seed, uint64_t position) const {
  const RandomStream random(seed, position, RandomPurpose::kTimestep);
  if (steps_ > 0 && !stratified_ && cumulative_.empty()) {
    return random.UniformInt(0, static_cast<uint32_t>(steps_));
  }
  // In (0, 1): neither end, where quantiles are infinite.
  const double u =
      (static_cast<double>(uint64_t{random.Word(0)} << 20 | random.Word(1) >> 12) + 0.5) * 0x1p-52;
  if (!stratified_) return AtQuantile(u);
  const auto batch = static_cast<double>(global_batch_);
  return AtQuantile((static_cast<double>(position % global_batch_) + u) / batch);
}

void TimeDistribution::SetFrequencies(std::vector<double> frequencies) {
  frequencies_ = std::move(frequencies);
  cumulative_.resize(frequencies_.size());
  std::partial_sum(frequencies_.begin(), frequencies_.end(), cumulative_.begin());
}

double TimeDistribution::ImportanceOf(double t) const {
  return frequencies_.empty() ? 1 : 1 / frequencies_[static_cast<size_t>(t)];
}

double TimeDistribution::AtQuantile(double u) const {
  if (!cumulative_.empty()) {
    const auto above =
        std::upper_bound(cumulative_.begin(), cumulative_.end() - 1, u * cumulative_.back());
    return static_cast<double>(above - cumulative_.begin());
  }
  if (steps_ > 0) {
    const auto steps = static_cast<double>(steps_);
    return std::min(std::floor(u * steps), steps - 1);
  }
  double t = 0;
  switch (kind_) {
    case configs::TimeDistribution::kUniform:
    case configs::TimeDistribution::kImportance:  // Of steps, which are above.
      t = smallest_ + (process_->end_time() - smallest_) * u;
      break;
    case configs::TimeDistribution::kLogNormal:
      t = process_->TimeOfRatio(std::exp(mean_ + deviation_ * internal::NormalQuantile(u)));
      break;
    case configs::TimeDistribution::kLogitNormal:
      t = 1 / (1 + std::exp(-(mean_ + deviation_ * internal::NormalQuantile(u))));
      break;
  }
  // Esser et al. 2024, equation 23.
  if (shift_ != 1) t = shift_ * t / (1 + (shift_ - 1) * t);
  return std::max(t, smallest_);
}

namespace internal {

double NormalQuantile(double p) {
  // A start from Abramowitz and Stegun 26.2.23 (error below 4.5e-4), then Halley's steps on erfc,
  // which triple the digits each.
  const double tail = std::min(p, 1 - p);
  const double s = std::sqrt(-2 * std::log(tail));
  double x = (2.515517 + s * (0.802853 + s * 0.010328)) /
                 (1 + s * (1.432788 + s * (0.189269 + s * 0.001308))) -
             s;
  constexpr double kRootTwo = 1.4142135623730951, kRootTwoPi = 2.5066282746310002;
  for (int i = 0; i < 2; ++i) {
    const double error = 0.5 * std::erfc(-x / kRootTwo) - tail;
    const double step = error * kRootTwoPi * std::exp(x * x / 2);
    x -= step / (1 + x * step / 2);
  }
  return p < 0.5 ? x : -x;
}

}  // namespace internal
}  // namespace langevin::diffusion
