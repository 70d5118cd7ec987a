// The noise levels that a scheduler's config asks for.
#ifndef LANGEVIN_CORE_DIFFUSION_SCHEDULER_GRID_H_
#define LANGEVIN_CORE_DIFFUSION_SCHEDULER_GRID_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/diffusion/scheduler_config.h"
#include "core/diffusion/time_grid.h"

namespace langevin::diffusion {

// diffusers' classes place the same number of steps differently on the same table of betas.
enum class GridStyle {
  kDdim,   // DDIMScheduler: whole steps; each ends a stride lower.
  kDdpm,   // DDPMScheduler: whole steps; each ends at the next.
  kEuler,  // EulerDiscrete, EulerAncestral, Heun: also between steps.
  kDpm,    // DPMSolverMultistep, UniPC: whole steps, one more than asked for and without the last.
};

// How levels of processes without a table of betas are spaced.
enum class Spacing {
  kDefault,      // kKarras, for flows kUniform.
  kKarras,       // Of sigma / alpha.
  kExponential,  // Evenly in log(sigma / alpha).
  kBeta,         // Of sigma / alpha.
  kUniform,      // Of t; for flows shifted.
};

// The time steps that `steps` sampling steps visit, descending (Lin et al. 2023, table 2), as
// DDIMScheduler and DDPMScheduler take them.
std::vector<int64_t> SamplingTimesteps(const SchedulerConfig& config, int64_t steps);

// For kDiscrete configs. InvalidArgument: more steps than there are, or fields that contradict each
// other.
absl::StatusOr<TimeGrid> DiscreteGrid(const SchedulerConfig& config, const ForwardProcess& process,
                                      GridStyle style, int64_t steps);

// For configs of all other families.
absl::StatusOr<TimeGrid> ContinuousGrid(const SchedulerConfig& config,
                                        const ForwardProcess& process, Spacing spacing,
                                        int64_t steps);

}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_SCHEDULER_GRID_H_
