// Guidance: going further away from what a worse denoiser says.
//
// With a denoiser that knows the class and one that does not, this is classifier-free guidance (Ho
// and Salimans 2022); with a smaller or less trained model as reference, autoguidance (Karras et
// al. 2024).
#ifndef LANGEVIN_CORE_DIFFUSION_GUIDANCE_H_
#define LANGEVIN_CORE_DIFFUSION_GUIDANCE_H_

#include <limits>

#include "core/diffusion/denoiser.h"

namespace langevin::diffusion {

struct GuidanceOptions {
  // 1: the conditional denoiser alone; above: reference + scale (conditional - reference).
  double scale = 1;
  // sigma / alpha where guidance is on: (low, high] (Kynkaanniemi et al. 2024). Elsewhere the
  // reference is not asked.
  double low = 0, high = std::numeric_limits<double>::infinity();
  // Lin et al. 2023, section 3.4: how much of the guided image is scaled back to the standard
  // deviation of the conditional one, image by image; 0 to 1. Of x_0, whatever the network
  // predicts.
  double rescale = 0;
};

// Of two denoisers of the same process. The variance, where there is one, is the conditional's.
Denoiser Guide(Denoiser conditional, Denoiser reference, const GuidanceOptions& options);

}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_GUIDANCE_H_
