// Which times a network is trained at: a function of (seed, position in the run), so that ranks and
// restarts change nothing.
#ifndef LANGEVIN_CORE_DIFFUSION_TIME_DISTRIBUTION_H_
#define LANGEVIN_CORE_DIFFUSION_TIME_DISTRIBUTION_H_

#include <cstdint>
#include <memory>

#include "configs/diffusion_config.h"
#include "core/diffusion/forward_process.h"

namespace langevin::diffusion {

// Immutable; any thread.
class TimeDistribution {
 public:
  // `config` has a process, which `process` is. `global_batch`: images of a step, of which each has
  // a stratum of its own where the config asks for strata.
  TimeDistribution(const configs::DiffusionConfig& config,
                   std::shared_ptr<const ForwardProcess> process, int64_t global_batch);

  // The time of the image at `position` of the run's stream; of discrete processes a step.
  double Draw(uint64_t seed, uint64_t position) const;

 private:
  double AtQuantile(double u) const;

  const std::shared_ptr<const ForwardProcess> process_;
  const configs::TimeDistribution kind_;
  const bool stratified_;
  const double mean_, deviation_;
  const double smallest_;  // Of t.
  const double shift_;     // Of flows.
  const int64_t steps_;    // Of discrete processes; else 0.
  const int64_t global_batch_;
};

namespace internal {

// The x with P(N(0, 1) <= x) = p, for 0 < p < 1, to 1e-12.
double NormalQuantile(double p);

}  // namespace internal
}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_TIME_DISTRIBUTION_H_
