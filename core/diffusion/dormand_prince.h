// Ordinary differential equations with steps as large as a tolerance allows: Dormand and Prince's
// method of order 5(4), "RK45" in SciPy. For the probability flow, of samples and of likelihoods.
//
// A pure function; any thread.
#ifndef LANGEVIN_CORE_DIFFUSION_DORMAND_PRINCE_H_
#define LANGEVIN_CORE_DIFFUSION_DORMAND_PRINCE_H_

#include <functional>

#include "ATen/core/Tensor.h"

namespace langevin::diffusion {

// dy/du at (u, y).
using Slope = std::function<at::Tensor(double u, const at::Tensor& y)>;

// y at `end`, from `start` at `begin`, which may be above or below. The error of a step is the root
// mean square over all values of y, each relative to tolerance * (1 + |y|), as in SciPy: what must
// not depend on each other is to be solved apart. Where values are not finite the result is not
// either. `slope` is asked at `begin` and `end` with exactly those numbers.
at::Tensor IntegrateDormandPrince(const at::Tensor& start, double begin, double end,
                                  double tolerance, const Slope& slope);

}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_DORMAND_PRINCE_H_
