#include "core/diffusion/denoiser.h"

#include <memory>
#include <utility>

#include "ATen/ATen.h"
#include "core/diffusion/self_conditioning.h"

namespace langevin::diffusion {

Denoiser MakeDenoiser(const Formulation& formulation, Predictor predictor) {
  return [formulation, predictor = std::move(predictor), last = std::make_shared<at::Tensor>()](
             const at::Tensor& sample, const NoiseLevel& level) {
    const Preconditioning c = PreconditioningAt(level, formulation.target, formulation.data_sigma);
    at::Tensor input = c.in == 1 ? sample : c.in * sample;
    if (formulation.self_conditioned) input = WithEstimate(input, *last);
    at::Tensor output = predictor(input, level.network_time);
    Denoised denoised;
    if (formulation.learns_variance) {
      denoised.variance = output.narrow(1, sample.size(1), sample.size(1));
      output = output.narrow(1, 0, sample.size(1));
    }
    denoised.original = c.skip == 0 ? c.out * output : c.skip * sample + c.out * output;
    if (formulation.self_conditioned) *last = denoised.original;
    return denoised;
  };
}

}  // namespace langevin::diffusion
