// What a network is trained to predict: noisy images made of clean ones, the target, and how much
// each error counts.
#ifndef LANGEVIN_CORE_DIFFUSION_OBJECTIVE_H_
#define LANGEVIN_CORE_DIFFUSION_OBJECTIVE_H_

#include <cstdint>
#include <memory>

#include "ATen/core/Tensor.h"
#include "configs/diffusion_config.h"

namespace langevin::diffusion {

struct TrainingExample {
  at::Tensor input;      // (N, C, H, W), fp32: the noisy images as the network wants them.
  at::Tensor timesteps;  // (N): the network's time input; int64 where times are steps, else fp32.
  at::Tensor target;     // (N, C, H, W), fp32.
  at::Tensor weights;    // (N, 1, 1, 1), fp32, of the squared errors; undefined: all 1.
  // Where the variance is learned: the clean images, and for each image the numbers of its step.
  at::Tensor clean;  // (N, C, H, W), fp32.
  at::Tensor steps;  // (N, numbers), fp32.

  TrainingExample To(const at::Device& device) const;
};

// Immutable; any thread.
class Objective {
 public:
  virtual ~Objective() = default;
  // `clean`: (N, C, H, W), fp32, on the CPU. Noise and time of image i are functions of (seed,
  // first_position + i) alone.
  virtual TrainingExample MakeExample(const at::Tensor& clean, uint64_t seed,
                                      int64_t first_position) const = 0;
  // The mean over all values of the weighted squared error, and where the variance is learned its
  // bound: a differentiable fp32 scalar. `prediction` is the network's output for the example.
  virtual at::Tensor Loss(const at::Tensor& prediction, const TrainingExample& example) const = 0;
};

// Of a valid config that has a process, and its data_sigma where that matters. `global_batch`:
// images of a step, whose times are strata where the config asks for that.
std::unique_ptr<Objective> MakeObjective(const configs::DiffusionConfig& config,
                                         int64_t global_batch);

}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_OBJECTIVE_H_
