#include "core/diffusion/parameterization.h"

#include <cmath>

namespace langevin::diffusion {

Preconditioning PreconditioningAt(const ForwardProcess& process, Target target, double data_sigma,
                                  double t) {
  const double alpha = process.Alpha(t), sigma = process.Sigma(t);
  switch (target) {
    case Target::kEpsilon:
      return {.skip = 1 / alpha, .out = -sigma / alpha};
    case Target::kSample:
      return {.skip = 0, .out = 1};
    case Target::kV: {
      // alpha x_t - sigma v = (alpha^2 + sigma^2) x_0.
      const double square = alpha * alpha + sigma * sigma;
      return {.skip = alpha / square, .out = -sigma / square};
    }
    case Target::kScore:
      return {.skip = 1 / alpha, .out = sigma * sigma / alpha};
    case Target::kVelocity: {
      // epsilon = (x_t - alpha x_0) / sigma put into the velocity u = alpha' x_0 + sigma' epsilon:
      // sigma u - sigma' x_t = (sigma alpha' - alpha sigma') x_0.
      const double alpha_slope = process.AlphaSlope(t), sigma_slope = process.SigmaSlope(t);
      const double divisor = sigma * alpha_slope - alpha * sigma_slope;
      return {.skip = -sigma_slope / divisor, .out = sigma / divisor};
    }
    case Target::kPreconditioned: {
      // Of y = x_t / alpha, whose noise level is r = sigma / alpha (Karras et al. 2022, table 1).
      const double r = sigma / alpha, d = data_sigma;
      const double square = r * r + d * d;
      return {.skip = d * d / square / alpha,
              .out = r * d / std::sqrt(square),
              .in = 1 / (alpha * std::sqrt(square))};
    }
  }
  return {};
}

}  // namespace langevin::diffusion
