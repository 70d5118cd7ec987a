#include "core/diffusion/guidance.h"

#include <utility>

#include "ATen/ATen.h"

namespace langevin::diffusion {
namespace {

// (N, 1, 1, 1): the standard deviation of each image's values.
at::Tensor DeviationOfEach(const at::Tensor& images) {
  return images.flatten(1).std(1, /*unbiased=*/true).view({-1, 1, 1, 1});
}

}  // namespace

Denoiser Guide(Denoiser conditional, Denoiser reference, const GuidanceOptions& options) {
  return [conditional = std::move(conditional), reference = std::move(reference), options](
             const at::Tensor& sample, const NoiseLevel& level) {
    Denoised denoised = conditional(sample, level);
    // Not a quotient: alpha may be 0.
    const bool is_inside =
        level.sigma > options.low * level.alpha &&
        (level.alpha == 0 ? options.high == std::numeric_limits<double>::infinity()
                          : level.sigma <= options.high * level.alpha);
    if (options.scale == 1 || !is_inside) return denoised;
    const at::Tensor base = reference(sample, level).original;
    at::Tensor guided = base + options.scale * (denoised.original - base);
    if (options.rescale > 0) {
      const at::Tensor ratio = DeviationOfEach(denoised.original) / DeviationOfEach(guided);
      guided = guided * (options.rescale * ratio + (1 - options.rescale));
    }
    denoised.original = guided;
    return denoised;
  };
}

}  // namespace langevin::diffusion
