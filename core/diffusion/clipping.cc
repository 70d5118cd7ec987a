#include "core/diffusion/clipping.h"

#include <memory>
#include <utility>

#include "ATen/ATen.h"
#include "core/diffusion/samplers.h"

namespace langevin::diffusion {
namespace {

class ClippedSampler : public Sampler {
 public:
  ClippedSampler(std::unique_ptr<Sampler> sampler, Clipping clipping)
      : sampler_(std::move(sampler)), clipping_(clipping) {}

  int64_t network_evaluations() const override { return sampler_->network_evaluations(); }
  bool is_adaptive() const override { return sampler_->is_adaptive(); }
  at::Tensor Run(const at::Tensor& noise, const Denoiser& denoiser,
                 const NoiseSource& noise_source) const override {
    const Denoiser clipped = [&](const at::Tensor& sample, const NoiseLevel& level) {
      Denoised denoised = denoiser(sample, level);
      denoised.original = Clip(clipping_, denoised.original);
      return denoised;
    };
    return sampler_->Run(noise, clipped, noise_source);
  }

 private:
  const std::unique_ptr<Sampler> sampler_;
  const Clipping clipping_;
};

}  // namespace

at::Tensor Clip(const Clipping& clipping, const at::Tensor& original) {
  if (clipping.quantile > 0) {
    const at::Tensor flat = original.flatten(1);
    // Where threshold_max is below 1, clamp gives it for every image.
    const at::Tensor limit =
        at::clamp(at::quantile(flat.abs(), clipping.quantile, 1), 1.0, clipping.threshold_max)
            .unsqueeze(1);
    return (at::clamp(flat, -limit, limit) / limit).view_as(original);
  }
  return clipping.range > 0 ? original.clamp(-clipping.range, clipping.range) : original;
}

std::unique_ptr<Sampler> WithClipping(std::unique_ptr<Sampler> sampler, Clipping clipping) {
  if (!clipping.is_on()) return sampler;
  return std::make_unique<ClippedSampler>(std::move(sampler), clipping);
}

}  // namespace langevin::diffusion
