// Power-function averages of the weights (Karras et al. 2024, "Analyzing and Improving the Training
// Dynamics of Diffusion Models", section 3).
//
// At time t, in images since the run began, the weights of time s count in proportion to s^gamma. A
// profile is named by its standard deviation in units of t ("std"): its width grows with the run,
// so it needs neither a horizon nor a ramp-up. Averages of two widths, stored now and then, let any
// other be made afterwards (post_hoc_ema.h).
//
// Pure functions; any thread.
#ifndef LANGEVIN_CORE_OPTIM_POWER_EMA_H_
#define LANGEVIN_CORE_OPTIM_POWER_EMA_H_

#include <cstdint>
#include <string>

namespace langevin::optim {

// The exponent of a profile of this std: the gamma above 0 with
// std^2 = (gamma + 1) / ((gamma + 2)^2 (gamma + 3)). Requires 0 < std < 1 / sqrt(12), the std of
// gamma = 0, where all weights count alike.
double PowerGammaOf(double std);

// The weight of the old average in the step from images_seen - global_batch to images_seen:
// (1 - global_batch / images_seen)^(gamma + 1). The first step's is 0: what the run began with does
// not count.
double PowerDecayAt(double std, int64_t images_seen, int64_t global_batch);

// What files call the average: "ema_std_0.05".
std::string PowerEmaName(double std);

}  // namespace langevin::optim

#endif  // LANGEVIN_CORE_OPTIM_POWER_EMA_H_
