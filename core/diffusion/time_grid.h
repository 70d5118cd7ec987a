// Which noise levels a sampler visits.
//
// Samplers work on any descending list of levels; how a list is spaced is decided here. For models
// whose scheduler diffusers has, the lists are diffusers' own, to the rounding.
//
// Plain values on the host; any thread.
#ifndef LANGEVIN_CORE_DIFFUSION_TIME_GRID_H_
#define LANGEVIN_CORE_DIFFUSION_TIME_GRID_H_

#include <cstdint>
#include <vector>

#include "core/diffusion/forward_process.h"

namespace langevin::diffusion {

struct TimeGrid {
  // N + 1 levels for N steps: step i goes from levels[i] to levels[i + 1]. The noise falls; the
  // last one is where sampling ends, most often without noise.
  std::vector<NoiseLevel> levels;
  // Where steps end if not at the next level: diffusers' DDIM says that by a stride of its own.
  std::vector<NoiseLevel> ends;
  // The first sample is this times standard normal noise.
  double initial_scale = 1;

  size_t steps() const { return levels.size() - 1; }
  const NoiseLevel& End(size_t step) const { return ends.empty() ? levels[step + 1] : ends[step]; }
};

// `count` numbers from `first` to `last` in equal steps; one is `first`.
std::vector<double> EvenlySpaced(double first, double last, int64_t count);

// `count` values from `high` down to `low`:
// evenly in the rho-th root (Karras et al. 2022, equation 5);
std::vector<double> KarrasSpaced(double high, double low, double rho, int64_t count);
// evenly in the logarithm: of noise ratios, evenly in lambda, half the log signal-to-noise ratio;
std::vector<double> LogSpaced(double high, double low, int64_t count);
// at quantiles of Beta(0.6, 0.6), dense at both ends (Lee et al. 2024).
std::vector<double> BetaSpaced(double high, double low, int64_t count);
// t under a shift s of the noise: s t / (1 + (s - 1) t) (Esser et al. 2024, equation 23).
double ShiftedTime(double t, double shift);

// No noise: the end of sampling for every process.
NoiseLevel CleanLevel();

// Where sigma / alpha of `process` is `ratio`; at most its last level.
NoiseLevel LevelOfRatio(const ForwardProcess& process, double ratio);

// The level of variance-preserving processes (alpha^2 + sigma^2 = 1) with that ratio, of which the
// network is told `network_time`.
NoiseLevel VariancePreservingLevel(double ratio, double network_time);

}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_TIME_GRID_H_
