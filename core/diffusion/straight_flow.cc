#include "core/diffusion/straight_flow.h"

#include "ATen/ATen.h"
#include "core/diffusion/samplers.h"

namespace langevin::diffusion {

// With less signal than this, y = x / alpha loses x_0 to rounding.
constexpr double kLeastSignal = 1e-6;

at::Tensor StraightFlow::Slope(const at::Tensor& sample, const at::Tensor& original,
                               const NoiseLevel& level) const {
  const at::Tensor epsilon = internal::NoiseIn(sample, original, level);
  return is_linear_flow_ ? epsilon - original : epsilon;
}

StraightFlow StraightFlowFor(const NoiseLevel& first) {
  return StraightFlow(first.alpha < kLeastSignal);
}

}  // namespace langevin::diffusion
