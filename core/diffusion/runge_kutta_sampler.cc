#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "core/diffusion/dormand_prince.h"
#include "core/diffusion/samplers.h"
#include "core/diffusion/straight_flow.h"

namespace langevin::diffusion {
namespace {

class RungeKuttaSampler : public Sampler {
 public:
  RungeKuttaSampler(const TimeGrid& grid, std::shared_ptr<const ForwardProcess> process,
                    double tolerance)
      : process_(std::move(process)),
        first_(grid.levels.front()),
        last_(grid.levels.back().sigma > 0 || grid.steps() == 1
                  ? grid.levels.back()
                  : grid.levels[grid.levels.size() - 2]),
        ends_clean_(grid.levels.back().sigma == 0),
        initial_scale_(grid.initial_scale),
        flow_(StraightFlowFor(first_)),
        tolerance_(tolerance) {}

  int64_t network_evaluations() const override { return 0; }
  bool is_adaptive() const override { return true; }

  at::Tensor Run(const at::Tensor& noise, const Denoiser& denoiser,
                 const NoiseSource& /*noise_source*/) const override {
    std::vector<at::Tensor> images;
    for (int64_t i = 0; i < noise.size(0); ++i) {
      images.push_back(RunOne(initial_scale_ * noise.narrow(0, i, 1), denoiser));
    }
    return at::cat(images);
  }

 private:
  at::Tensor RunOne(const at::Tensor& start, const Denoiser& denoiser) const {
    const at::Tensor y = IntegrateDormandPrince(
        flow_.Scale(first_) * start, flow_.Position(first_), flow_.Position(last_), tolerance_,
        [&](double position, const at::Tensor& at) { return SlopeAt(position, at, denoiser); });
    const at::Tensor sample = y / flow_.Scale(last_);
    return ends_clean_ ? denoiser(sample, last_).original : sample;
  }

  at::Tensor SlopeAt(double position, const at::Tensor& y, const Denoiser& denoiser) const {
    const NoiseLevel level = position == flow_.Position(first_)  ? first_
                             : position == flow_.Position(last_) ? last_
                                                                 : LevelAt(position);
    const at::Tensor sample = y / flow_.Scale(level);
    return flow_.Slope(sample, denoiser(sample, level).original, level);
  }

  NoiseLevel LevelAt(double position) const {
    return LevelOfRatio(*process_, flow_.RatioAt(position));
  }

  const std::shared_ptr<const ForwardProcess> process_;
  const NoiseLevel first_, last_;
  const bool ends_clean_;
  const double initial_scale_;
  const StraightFlow flow_;
  const double tolerance_;
};

}  // namespace

std::unique_ptr<Sampler> MakeRungeKuttaSampler(const TimeGrid& grid,
                                               std::shared_ptr<const ForwardProcess> process,
                                               double tolerance) {
  return std::make_unique<RungeKuttaSampler>(grid, std::move(process), tolerance);
}

}  // namespace langevin::diffusion
