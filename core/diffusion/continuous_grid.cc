// Grids of models without a table of betas: EDM, flows, score SDEs.
#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "core/diffusion/scheduler_grid.h"

namespace langevin::diffusion {
namespace {

constexpr double kLeastFlowTime = 1e-3;  // Of flows without num_train_timesteps.

// Whether noise is all that is left at the end: there sigma / alpha is infinite.
bool EndsInNoise(const ForwardProcess& process) { return process.Alpha(process.end_time()) < 1e-9; }

// Times of a flow in [0, 1], descending, as diffusers has them.
absl::StatusOr<std::vector<double>> FlowTimes(const SchedulerConfig& config, Spacing spacing,
                                              int64_t steps) {
  if (config.use_dynamic_shifting) {
    return absl::InvalidArgumentError(absl::StrCat(
        config.class_name,
        ": use_dynamic_shifting takes its shift from a text-to-image pipeline; set it to false and "
        "give shift, or --shift"));
  }
  if (config.invert_sigmas) {
    return absl::InvalidArgumentError(
        absl::StrCat(config.class_name,
                     ": invert_sigmas (a model whose time runs from noise at 0 to data at 1) is "
                     "not supported"));
  }
  // The last time is shifted twice, as diffusers does it: once in the table, once here.
  const double least =
      FamilyOf(config) == SchedulerFamily::kFlow
          ? ShiftedTime(1 / static_cast<double>(config.num_train_timesteps), config.shift)
          : kLeastFlowTime;
  std::vector<double> times = EvenlySpaced(1, least, steps);
  for (double& time : times) time = ShiftedTime(time, config.shift);
  if (config.shift_terminal.value_or(0) > 0 && times.back() < 1) {
    const double scale = (1 - times.back()) / (1 - *config.shift_terminal);
    for (double& time : times) time = 1 - (1 - time) / scale;
  }
  constexpr double kRho = 7;
  const double high = times.front(), low = times.back();
  if (spacing == Spacing::kKarras) return KarrasSpaced(high, low, kRho, steps);
  if (spacing == Spacing::kExponential) return LogSpaced(high, low, steps);
  if (spacing == Spacing::kBeta) return BetaSpaced(high, low, steps);
  return times;
}

// Where samplers of score SDEs stop before they remove the rest of the noise at once, since score
// and network are not known beyond.
double LeastTime(const SchedulerConfig& config) {
  switch (FamilyOf(config)) {
    case SchedulerFamily::kScoreVe:
    case SchedulerFamily::kScoreVp:
      return config.sampling_eps;
    case SchedulerFamily::kLangevin:
      return config.process == "ve" ? 1e-5 : 1e-3;
    default:
      return 0;
  }
}

}  // namespace

absl::StatusOr<TimeGrid> ContinuousGrid(const SchedulerConfig& config,
                                        const ForwardProcess& process, Spacing spacing,
                                        int64_t steps) {
  if (steps < 1 || steps > 1000000) {
    return absl::InvalidArgumentError(
        absl::StrCat("--steps ", steps, ": must be from 1 to 1000000"));
  }
  TimeGrid grid;
  if (EndsInNoise(process)) {
    if (spacing == Spacing::kDefault) {
      spacing = config.use_karras_sigmas        ? Spacing::kKarras
                : config.use_exponential_sigmas ? Spacing::kExponential
                : config.use_beta_sigmas        ? Spacing::kBeta
                                                : Spacing::kUniform;
    }
    absl::StatusOr<std::vector<double>> times = FlowTimes(config, spacing, steps);
    if (!times.ok()) return times.status();
    for (const double time : *times) grid.levels.push_back(process.At(time));
    grid.levels.push_back(CleanLevel());
    return grid;
  }
  const bool is_edm = config.sigma_min.has_value() && process.end_time() == *config.sigma_max &&
                      (FamilyOf(config) == SchedulerFamily::kEdm || config.process == "edm");
  const double least = is_edm ? *config.sigma_min : LeastTime(config);
  const double high = process.Ratio(process.end_time()), low = process.Ratio(least);
  if (spacing == Spacing::kDefault) {
    spacing = FamilyOf(config) == SchedulerFamily::kEdm && config.sigma_schedule == "exponential"
                  ? Spacing::kExponential
                  : Spacing::kKarras;
  }
  if (spacing == Spacing::kUniform) {
    for (const double t : EvenlySpaced(process.end_time(), least, steps)) {
      grid.levels.push_back(process.At(t));
    }
  } else {
    for (const double ratio : spacing == Spacing::kKarras
                                  ? KarrasSpaced(high, low, config.rho, steps)
                              : spacing == Spacing::kBeta ? BetaSpaced(high, low, steps)
                                                          : LogSpaced(high, low, steps)) {
      grid.levels.push_back(LevelOfRatio(process, ratio));
    }
  }
  // diffusers' EDMEuler ends a last step of no length at the level it has; EDMDPMSolver at
  // sigma_min. With two steps or more these are the same.
  grid.levels.push_back(config.final_sigmas_type == "sigma_min" ? process.At(least) : CleanLevel());
  grid.initial_scale = grid.levels.front().sigma;
  return grid;
}

}  // namespace langevin::diffusion
