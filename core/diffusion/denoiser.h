// What samplers and likelihoods see of a model: a function that, of a noisy image, says the clean
// one.
//
// Guidance, self-conditioning and closed forms in tests are denoisers too, so all of these can be
// put together freely.
#ifndef LANGEVIN_CORE_DIFFUSION_DENOISER_H_
#define LANGEVIN_CORE_DIFFUSION_DENOISER_H_

#include <functional>

#include "ATen/core/Tensor.h"
#include "core/diffusion/parameterization.h"

namespace langevin::diffusion {

struct Denoised {
  at::Tensor original;  // The expected x_0, (N, C, H, W), fp32 or as the sample; never clipped.
  // Where the formulation learns the variance: the network's second half, as it came.
  at::Tensor variance;
};

// `sample`: x_t, (N, C, H, W), at `level`, the same for all images.
using Denoiser = std::function<Denoised(const at::Tensor& sample, const NoiseLevel& level)>;

// A network: its output for `sample` (N, C, H, W), fp32, told `network_time`.
using Predictor = std::function<at::Tensor(const at::Tensor& sample, double network_time)>;

// x_0 as `formulation` takes it from the network's output. Where the network is self-conditioned it
// sees what the denoiser said the last time, if there was one: then a denoiser is of one batch and
// one run of a sampler.
Denoiser MakeDenoiser(const Formulation& formulation, Predictor predictor);

}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_DENOISER_H_
