// The discrete forward process of DDPM: how much signal is left at each time step.
//
// Tables are double precision on the host and are rounded where they are used.
#ifndef LANGEVIN_CORE_DIFFUSION_NOISE_SCHEDULE_H_
#define LANGEVIN_CORE_DIFFUSION_NOISE_SCHEDULE_H_

#include <cstdint>
#include <vector>

namespace langevin::diffusion {

// x_t = sqrt(alpha_bar[t]) x_0 + sqrt(1 - alpha_bar[t]) epsilon  (Ho et al. 2020, equation 4).
struct NoiseSchedule {
  std::vector<double> betas;
  std::vector<double> alphas_cumprod;  // alpha_bar[t] = product over s <= t of (1 - betas[s]).

  int64_t num_train_timesteps() const { return static_cast<int64_t>(betas.size()); }
};

// Ho et al. 2020, section 4: beta from start to end in equal steps.
std::vector<double> LinearBetas(int64_t steps, double beta_start, double beta_end);
// Rombach et al. 2022: sqrt(beta) in equal steps.
std::vector<double> ScaledLinearBetas(int64_t steps, double beta_start, double beta_end);
// Nichol and Dhariwal 2021, equation 17: alpha_bar follows a squared cosine, beta at most 0.999.
std::vector<double> CosineBetas(int64_t steps);
// The sigmoid schedule of diffusers' DDPMScheduler: a logistic curve over [-6, 6].
std::vector<double> SigmoidBetas(int64_t steps, double beta_start, double beta_end);
// The Laplace schedule of diffusers' DDPMScheduler (Hang and Gu 2024).
std::vector<double> LaplaceBetas(int64_t steps);
// The schedule "exp" of diffusers' HeunDiscreteScheduler: alpha_bar = exp(-12 t), beta at most
// 0.999.
std::vector<double> ExponentialBetas(int64_t steps);

// Lin et al. 2023, algorithm 1: shifts and scales sqrt(alpha_bar) so that nothing of the signal is
// left at the last time step.
std::vector<double> RescaleToZeroTerminalSnr(const std::vector<double>& betas);

NoiseSchedule MakeNoiseSchedule(std::vector<double> betas);

}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_NOISE_SCHEDULE_H_
