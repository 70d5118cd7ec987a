// What a network is trained to predict: noisy images made of clean ones, the target, and how much
// each error counts.
#ifndef LANGEVIN_CORE_DIFFUSION_OBJECTIVE_H_
#define LANGEVIN_CORE_DIFFUSION_OBJECTIVE_H_

#include <cstdint>
#include <memory>

#include "ATen/core/Tensor.h"
#include "configs/diffusion_config.h"
#include "core/diffusion/loss_history.h"

namespace langevin::diffusion {

struct TrainingExample {
  at::Tensor input;      // (N, C, H, W), fp32: the noisy images as the network wants them.
  at::Tensor timesteps;  // (N): the network's time input; int64 where times are steps, else fp32.
  at::Tensor target;     // (N, C, H, W), fp32.
  at::Tensor weights;    // (N, 1, 1, 1), fp32, of the squared errors; undefined: all 1.
  // (N), fp32: of each image's loss, where steps are drawn by their losses; else undefined.
  at::Tensor importance;
  // Where the loss's uncertainty is learned: (N), fp32, ln(sigma / alpha) / 4 of each image, for
  // which whoever has the network sets u (model::Network::UncertaintyAt), (N, 1, 1, 1).
  at::Tensor noise_levels;
  at::Tensor uncertainty;
  // (N, 2), fp32: by what x_0 is the sum of the input and the prediction.
  at::Tensor original_mix;
  // Where the loss is the variational bound or has a part of it: the clean images, and for each
  // image the numbers of its step.
  at::Tensor clean;  // (N, C, H, W), fp32.
  at::Tensor steps;  // (N, numbers), fp32.

  TrainingExample To(const at::Device& device) const;

  // x_0 as `prediction`, (N, C, H, W) like the input, has it.
  at::Tensor Original(const at::Tensor& prediction) const;
};

struct ExampleLoss {
  at::Tensor mean;  // What is minimised: a differentiable fp32 scalar.
  // (N), fp32, without importance, detached, where steps are drawn by their losses; else undefined.
  at::Tensor of_images;
};

// Immutable but for DrawTimesBy; any thread that makes no example meanwhile.
class Objective {
 public:
  virtual ~Objective() = default;
  // `clean`: (N, C, H, W), fp32, on the CPU. Noise and time of image i are functions of (seed,
  // first_position + i) alone, and of the history that times are drawn by.
  virtual TrainingExample MakeExample(const at::Tensor& clean, uint64_t seed,
                                      int64_t first_position) const = 0;
  // The mean over all values of the weighted squared error, or of the variational bound, or of
  // both. `prediction` is the network's output for the example.
  virtual ExampleLoss Loss(const at::Tensor& prediction, const TrainingExample& example) const = 0;

  // The time of the image at `position`: of discrete processes a step.
  virtual double TimeAt(uint64_t seed, int64_t position) const = 0;
  // configs::TimeDistribution::kImportance: draws times by `history` from now on.
  virtual void DrawTimesBy(const LossHistory& history) = 0;
};

// Of a valid config that has a process, and its data_sigma where that matters. `global_batch`:
// images of a step, whose times are strata where the config asks for that.
std::unique_ptr<Objective> MakeObjective(const configs::DiffusionConfig& config,
                                         int64_t global_batch);

}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_OBJECTIVE_H_
