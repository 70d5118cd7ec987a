// Coordinates in which the probability flow of any process is as straight as it gets.
//
//   y = x / alpha,           u = sigma / alpha:            dy/du = epsilon          (EDM's)
//   y = x / (alpha + sigma), u = sigma / (alpha + sigma):  dy/du = epsilon - x_0    (linear flow's)
//
// where x_0 and epsilon are the denoiser's. The first are of use where some signal is left at the
// beginning, the second also where there is none.
#ifndef LANGEVIN_CORE_DIFFUSION_STRAIGHT_FLOW_H_
#define LANGEVIN_CORE_DIFFUSION_STRAIGHT_FLOW_H_

#include "ATen/core/Tensor.h"
#include "core/diffusion/forward_process.h"

namespace langevin::diffusion {

// A value; any thread.
class StraightFlow {
 public:
  explicit StraightFlow(bool is_linear_flow) : is_linear_flow_(is_linear_flow) {}

  // y / x.
  double Scale(const NoiseLevel& level) const {
    return 1 / (is_linear_flow_ ? level.alpha + level.sigma : level.alpha);
  }
  // u.
  double Position(const NoiseLevel& level) const { return Scale(level) * level.sigma; }
  // sigma / alpha at position u.
  double RatioAt(double position) const {
    return is_linear_flow_ ? position / (1 - position) : position;
  }
  // dy/du at `sample` (x, not y) of which the denoiser says `original`. Requires level.sigma > 0.
  at::Tensor Slope(const at::Tensor& sample, const at::Tensor& original,
                   const NoiseLevel& level) const;

 private:
  const bool is_linear_flow_;
};

// For a sampler that begins at `first`.
StraightFlow StraightFlowFor(const NoiseLevel& first);

}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_STRAIGHT_FLOW_H_
