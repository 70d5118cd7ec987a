// How much an error counts at each noise level.
#ifndef LANGEVIN_CORE_DIFFUSION_LOSS_WEIGHTING_H_
#define LANGEVIN_CORE_DIFFUSION_LOSS_WEIGHTING_H_

#include "configs/diffusion_config.h"
#include "core/diffusion/parameterization.h"

namespace langevin::diffusion {

// The weight of the squared error of what the network predicts, at `level`. The weightings are
// defined on the error of x_0 (LossConfig in run_config.proto names their sources); an error e of
// the output is one of c_out e there, which makes a weighting mean the same whatever is predicted.
double LossWeight(const configs::LossConfig& config, const Formulation& formulation,
                  const NoiseLevel& level);

}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_LOSS_WEIGHTING_H_
