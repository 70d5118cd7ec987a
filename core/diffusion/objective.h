// What a network is trained to predict: noisy images made of clean ones, and the target.
#ifndef LANGEVIN_CORE_DIFFUSION_OBJECTIVE_H_
#define LANGEVIN_CORE_DIFFUSION_OBJECTIVE_H_

#include <cstdint>
#include <memory>

#include "ATen/core/Tensor.h"
#include "configs/run_config.h"

namespace langevin::diffusion {

struct TrainingExample {
  at::Tensor noisy;      // (N, C, H, W), fp32: the network's input.
  at::Tensor timesteps;  // (N): the network's time input.
  at::Tensor target;     // (N, C, H, W), fp32.
};

// Immutable; any thread.
class Objective {
 public:
  virtual ~Objective() = default;
  // `clean`: (N, C, H, W), fp32, on the CPU. Noise and time of image i are functions of (seed,
  // first_position + i) alone.
  virtual TrainingExample MakeExample(const at::Tensor& clean, uint64_t seed,
                                      int64_t first_position) const = 0;
  // The mean over all values of the weighted squared error: a differentiable fp32 scalar.
  virtual at::Tensor Loss(const at::Tensor& prediction, const TrainingExample& example) const = 0;
};

// Denoising diffusion with discrete time (Ho et al. 2020): times are uniform over the schedule, the
// target is epsilon, x_0, or v = sqrt(alpha_bar) epsilon - sqrt(1 - alpha_bar) x_0 (Salimans and Ho
// 2022), the loss is the simple one (equation 14).
std::unique_ptr<Objective> MakeDdpmObjective(const configs::DdpmConfig& config);

}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_OBJECTIVE_H_
