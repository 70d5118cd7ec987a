#include <algorithm>
#include <cmath>
#include <utility>

#include "ATen/ATen.h"
#include "core/diffusion/samplers.h"

namespace langevin::diffusion {
namespace {

class DdpmSampler : public Sampler {
 public:
  DdpmSampler(TimeGrid grid, std::string variance_type)
      : grid_(std::move(grid)), variance_type_(std::move(variance_type)) {}

  int64_t network_evaluations() const override { return static_cast<int64_t>(grid_.steps()); }

  at::Tensor Run(const at::Tensor& noise, const Denoiser& denoiser,
                 const NoiseSource& noise_source) const override {
    at::Tensor sample = grid_.initial_scale * noise;
    for (size_t step = 0; step < grid_.steps(); ++step) {
      const NoiseLevel& from = grid_.levels[step];
      // At t = 0 no noise is added.
      sample = Step(from, grid_.End(step), sample, denoiser(sample, from),
                    from.t > 0 ? noise_source(static_cast<int64_t>(step)) : at::Tensor());
    }
    return sample;
  }

 private:
  at::Tensor Step(const NoiseLevel& from, const NoiseLevel& to, const at::Tensor& sample,
                  const Denoised& denoised, const at::Tensor& noise) const {
    // The forward step x_from = kept x_to + sqrt(added) z, and Ho et al. 2020, equations 6 and 7,
    // in its terms.
    const double kept = from.alpha / to.alpha;
    const double variance = from.sigma * from.sigma;
    const double added = variance - kept * kept * to.sigma * to.sigma;
    const at::Tensor mean = to.alpha * added / variance * denoised.original +
                            kept * to.sigma * to.sigma / variance * sample;
    if (!noise.defined()) return mean;

    const double posterior = std::max(to.sigma * to.sigma / variance * added, 1e-20);
    if (denoised.variance.defined() && variance_type_ == "learned_range") {
      // Nichol and Dhariwal 2021, equation 15.
      const at::Tensor fraction = (denoised.variance + 1) / 2;
      const at::Tensor log_variance =
          fraction * std::log(added) + (1 - fraction) * std::log(posterior);
      return mean + at::exp(0.5 * log_variance) * noise;
    }
    if (denoised.variance.defined() && variance_type_ == "learned") {
      return mean + at::sqrt(denoised.variance) * noise;
    }
    // For fixed_large_log diffusers takes the square root of the logarithm, which is not a number:
    // the variance that was meant is used.
    const bool is_large = variance_type_ == "fixed_large" || variance_type_ == "fixed_large_log";
    return mean + std::sqrt(is_large ? added : posterior) * noise;
  }

  const TimeGrid grid_;
  const std::string variance_type_;
};

}  // namespace

std::unique_ptr<Sampler> MakeDdpmSampler(TimeGrid grid, std::string variance_type) {
  return std::make_unique<DdpmSampler>(std::move(grid), std::move(variance_type));
}

}  // namespace langevin::diffusion
