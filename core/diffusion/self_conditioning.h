// Self-conditioning (Chen et al. 2023, "Analog Bits", section 3.2): beside the noisy image the
// network sees what it thought of the image before. In sampling that is its estimate at the step
// before; in training, for half of the images, one from a first pass; else zeros.
//
// Estimates are of x_0, clipped to [-1, 1] as data are: from nearly pure noise a network that
// predicts epsilon says it with huge errors.
#ifndef LANGEVIN_CORE_DIFFUSION_SELF_CONDITIONING_H_
#define LANGEVIN_CORE_DIFFUSION_SELF_CONDITIONING_H_

#include <cstdint>
#include <functional>

#include "ATen/core/Tensor.h"
#include "core/diffusion/objective.h"

namespace langevin::diffusion {

// `sample` (N, C, H, W), as the network wants it, and the estimate of x_0 side by side: (N, 2 C, H,
// W). An undefined estimate: there is none yet.
at::Tensor WithEstimate(const at::Tensor& sample, const at::Tensor& estimate);

// What the network gets in training for `example`, whose images begin at `first_position` and are
// drawn by position. `predict`: the network's output for an input of twice the channels; called
// once, without gradients.
at::Tensor SelfConditionedInput(const TrainingExample& example,
                                const std::function<at::Tensor(const at::Tensor&)>& predict,
                                uint64_t seed, int64_t first_position);

}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_SELF_CONDITIONING_H_
