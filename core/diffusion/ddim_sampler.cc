#include <cmath>
#include <utility>

#include "ATen/ATen.h"
#include "core/diffusion/samplers.h"

namespace langevin::diffusion {
namespace {

class DdimSampler : public Sampler {
 public:
  DdimSampler(TimeGrid grid, double eta, Clipping clipping)
      : grid_(std::move(grid)), eta_(eta), clipping_(clipping) {}

  int64_t network_evaluations() const override { return static_cast<int64_t>(grid_.steps()); }

  at::Tensor Run(const at::Tensor& noise, const Denoiser& denoiser,
                 const NoiseSource& noise_source) const override {
    at::Tensor sample = grid_.initial_scale * noise;
    for (size_t step = 0; step < grid_.steps(); ++step) {
      const NoiseLevel& from = grid_.levels[step];
      const NoiseLevel& to = grid_.End(step);
      const at::Tensor original = denoiser(sample, from).original;
      const at::Tensor epsilon = internal::NoiseIn(sample, original, from);
      const double fresh = FreshNoise(from, to);
      sample = to.alpha * Clip(clipping_, original) +
               std::sqrt(to.sigma * to.sigma - fresh * fresh) * epsilon;
      if (fresh > 0) sample += fresh * noise_source(static_cast<int64_t>(step));
    }
    return sample;
  }

 private:
  // Equation 16 in terms of sigma and alpha: eta times the deviation of the noise that was not
  // there at level `to` yet, as the forward process brings it in.
  double FreshNoise(const NoiseLevel& from, const NoiseLevel& to) const {
    if (eta_ == 0) return 0;
    const double kept = to.sigma * from.alpha / (to.alpha * from.sigma);
    return std::min(1.0, eta_ * std::sqrt(std::max(0.0, 1 - kept * kept))) * to.sigma;
  }

  const TimeGrid grid_;
  const double eta_;
  const Clipping clipping_;
};

class RenoisingSampler : public Sampler {
 public:
  explicit RenoisingSampler(TimeGrid grid) : grid_(std::move(grid)) {}

  int64_t network_evaluations() const override { return static_cast<int64_t>(grid_.steps()); }

  at::Tensor Run(const at::Tensor& noise, const Denoiser& denoiser,
                 const NoiseSource& noise_source) const override {
    at::Tensor sample = grid_.initial_scale * noise;
    for (size_t step = 0; step < grid_.steps(); ++step) {
      const NoiseLevel& to = grid_.End(step);
      sample = to.alpha * denoiser(sample, grid_.levels[step]).original;
      if (to.sigma > 0) sample += to.sigma * noise_source(static_cast<int64_t>(step));
    }
    return sample;
  }

 private:
  const TimeGrid grid_;
};

}  // namespace

namespace internal {

at::Tensor NoiseIn(const at::Tensor& sample, const at::Tensor& original, const NoiseLevel& level) {
  return (sample - level.alpha * original) / level.sigma;
}

double Lambda(const NoiseLevel& level) { return std::log(level.alpha) - std::log(level.sigma); }

}  // namespace internal

std::unique_ptr<Sampler> MakeDdimSampler(TimeGrid grid, double eta, Clipping clipping) {
  return std::make_unique<DdimSampler>(std::move(grid), eta, clipping);
}

std::unique_ptr<Sampler> MakeRenoisingSampler(TimeGrid grid) {
  return std::make_unique<RenoisingSampler>(std::move(grid));
}

}  // namespace langevin::diffusion
