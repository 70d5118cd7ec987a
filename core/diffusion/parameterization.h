// What a network's output means. All parameterisations are linear in it:
//
//   x_0 = skip x_t + out F(in x_t, NetworkTime(t))
//
// (the preconditioning of Karras et al. 2022, equation 7, with which all others can be written), so
// samplers, losses and exports need to know no more of them than three numbers for each time.
#ifndef LANGEVIN_CORE_DIFFUSION_PARAMETERIZATION_H_
#define LANGEVIN_CORE_DIFFUSION_PARAMETERIZATION_H_

#include <memory>

#include "configs/diffusion_config.h"
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

// Of `target` at `level`. `data_sigma` is the standard deviation of the data, which kPreconditioned
// alone needs. The coefficients of kEpsilon and kScore are infinite where alpha is 0, that of
// kScore where sigma is 0 is of no use: no information is there.
Preconditioning PreconditioningAt(const NoiseLevel& level, Target target, double data_sigma);

// What F should be: a sum of x_0 and epsilon.
struct TargetMix {
  double original = 0, epsilon = 0;
};

TargetMix TargetAt(const NoiseLevel& level, Target target, double data_sigma);

// What a network was trained to say of which process: with its weights, all there is to know.
struct Formulation {
  std::shared_ptr<const ForwardProcess> process;
  Target target = Target::kEpsilon;
  double data_sigma = 0.5;  // kPreconditioned.
  // The network has twice the channels; the second half says where between its bounds the variance
  // of a step is (Nichol and Dhariwal 2021, equation 15).
  bool learns_variance = false;
  // The network has twice the channels at its input too, for its estimate of before
  // (self_conditioning.h).
  bool self_conditioned = false;
};

// Of a run. Requires a valid config with a process, and its data_sigma where that matters.
Formulation FormulationFrom(const configs::DiffusionConfig& config);

}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_PARAMETERIZATION_H_
