// The steps of discrete diffusion as Gaussians, and the terms of the variational bound that they
// give: for learning variances, and for bits per dimension.
#ifndef LANGEVIN_CORE_DIFFUSION_STEP_POSTERIOR_H_
#define LANGEVIN_CORE_DIFFUSION_STEP_POSTERIOR_H_

#include <vector>

#include "ATen/core/Tensor.h"
#include "core/diffusion/noise_schedule.h"

namespace langevin::diffusion {

// q(x_{t-1} | x_t, x_0) = N(original x_0 + sample x_t, exp(log_variance)) (Ho et al. 2020,
// equation 7).
struct StepPosterior {
  double original = 0, sample = 0;
  // At t = 0, where the variance is 0, that of t = 1 (Nichol and Dhariwal 2021, section 2.1).
  double log_variance = 0;
  double log_beta = 0;  // The upper bound of the variance.
};

// Of step t of `schedule`; t from 0. Requires at least two steps for a finite log_variance at 0.
StepPosterior PosteriorAt(const NoiseSchedule& schedule, int64_t t);

// KL(N(mean_1, exp(log_variance_1)) || N(mean_2, exp(log_variance_2))) of each value, in nats.
at::Tensor GaussianKl(const at::Tensor& mean_1, const at::Tensor& log_variance_1,
                      const at::Tensor& mean_2, const at::Tensor& log_variance_2);

// -log of the probability that a Gaussian gives the bin of each value of `x` (in [-1, 1], levels
// 2 * half_bin apart), in nats; the outermost bins go on for ever (Ho et al. 2020, equation 13).
at::Tensor DiscretizedGaussianNll(const at::Tensor& x, const at::Tensor& mean,
                                  const at::Tensor& log_variance, double half_bin);

}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_STEP_POSTERIOR_H_
