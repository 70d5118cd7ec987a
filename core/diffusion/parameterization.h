// What a network's output means. All parameterisations are linear in it:
//
//   x_0 = skip x_t + out F(in x_t, NetworkTime(t))
//
// (the preconditioning of Karras et al. 2022, equation 7, with which all others can be written), so
// samplers, losses and exports need to know no more of them than three numbers for each time.
#ifndef LANGEVIN_CORE_DIFFUSION_PARAMETERIZATION_H_
#define LANGEVIN_CORE_DIFFUSION_PARAMETERIZATION_H_

#include "core/diffusion/forward_process.h"

namespace langevin::diffusion {

// What F is.
enum class Target {
  kEpsilon,         // The noise (Ho et al. 2020).
  kSample,          // x_0.
  kV,               // alpha epsilon - sigma x_0 (Salimans and Ho 2022).
  kScore,           // The gradient of log p_t(x_t): -epsilon / sigma (Song et al. 2021).
  kVelocity,        // d x_t / dt = alpha' x_0 + sigma' epsilon (Lipman et al. 2023).
  kPreconditioned,  // EDM: unit variance at every noise level (Karras et al. 2022).
};

struct Preconditioning {
  double skip = 0, out = 1, in = 1;
};

// Of `target` at time t. `data_sigma` is the standard deviation of the data, which kPreconditioned
// alone needs. The coefficients of kEpsilon and kScore are infinite where alpha is 0, that of
// kScore where sigma is 0 is of no use: no information is there.
Preconditioning PreconditioningAt(const ForwardProcess& process, Target target, double data_sigma,
                                  double t);

}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_PARAMETERIZATION_H_
