// Keeping a denoiser's images inside the range of data.
#ifndef LANGEVIN_CORE_DIFFUSION_CLIPPING_H_
#define LANGEVIN_CORE_DIFFUSION_CLIPPING_H_

#include "ATen/core/Tensor.h"

namespace langevin::diffusion {

struct Clipping {
  // To [-range, range]; 0: not at all.
  double range = 0;
  // Dynamic thresholding (Saharia et al. 2022, section 2.3), in place of range: clip to this
  // quantile of an image's own absolute values, if that is between 1 and threshold_max, and scale
  // back into [-1, 1]. 0: not at all.
  double quantile = 0;
  double threshold_max = 1;

  bool is_on() const { return range > 0 || quantile > 0; }
};

// `original`: (N, C, H, W).
at::Tensor Clip(const Clipping& clipping, const at::Tensor& original);

}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_CLIPPING_H_
