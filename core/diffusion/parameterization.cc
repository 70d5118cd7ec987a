#include "core/diffusion/parameterization.h"

#include <cmath>

namespace langevin::diffusion {

Preconditioning PreconditioningAt(const NoiseLevel& level, Target target, double data_sigma) {
  const double alpha = level.alpha, sigma = level.sigma;
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
      const double divisor = sigma * level.alpha_slope - alpha * level.sigma_slope;
      return {.skip = -level.sigma_slope / divisor, .out = sigma / divisor};
    }
    case Target::kPreconditioned: {
      // Karras et al. 2022, table 1, of x_t / alpha, whose noise level is sigma / alpha.
      const double d = data_sigma;
      const double deviation = std::sqrt(sigma * sigma + alpha * alpha * d * d);  // Of x_t.
      return {.skip = alpha * d * d / (deviation * deviation),
              .out = sigma * d / deviation,
              .in = 1 / deviation};
    }
  }
  return {};
}

}  // namespace langevin::diffusion
