// Which times a network is trained at: a function of (seed, position in the run), and where steps
// are drawn by their losses of how often each is, so that ranks and restarts change nothing.
#ifndef LANGEVIN_CORE_DIFFUSION_TIME_DISTRIBUTION_H_
#define LANGEVIN_CORE_DIFFUSION_TIME_DISTRIBUTION_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "configs/diffusion_config.h"
#include "core/diffusion/forward_process.h"

namespace langevin::diffusion {

// Immutable but for SetFrequencies; any thread that does not draw meanwhile.
class TimeDistribution {
 public:
  // `config` has a process, which `process` is. `global_batch`: images of a step, of which each has
  // a stratum of its own where the config asks for strata.
  TimeDistribution(const configs::DiffusionConfig& config,
                   std::shared_ptr<const ForwardProcess> process, int64_t global_batch);

  // The time of the image at `position` of the run's stream; of discrete processes a step.
  double Draw(uint64_t seed, uint64_t position) const;

  // kImportance: from now on each step is drawn in proportion to its number (LossHistory); before
  // the first call all are drawn equally often.
  void SetFrequencies(std::vector<double> frequencies);
  // What the loss at a time that was drawn is multiplied with, so that its mean is that of steps
  // drawn equally often: 1 / (T p_t).
  double ImportanceOf(double t) const;

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
  std::vector<double> frequencies_;  // kImportance: of each step; empty: all 1.
  std::vector<double> cumulative_;   // Their sums up to each step.
};

namespace internal {

// The x with P(N(0, 1) <= x) = p, for 0 < p < 1, to 1e-12.
double NormalQuantile(double p);

}  // namespace internal
}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_TIME_DISTRIBUTION_H_
