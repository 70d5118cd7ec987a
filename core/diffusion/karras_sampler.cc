#include <algorithm>
#include <cmath>
#include <utility>

#include "ATen/ATen.h"
#include "core/diffusion/samplers.h"
#include "core/diffusion/straight_flow.h"

namespace langevin::diffusion {
namespace {

constexpr double kMostChurn = 0.41421356237309503;  // sqrt(2) - 1.

class KarrasSampler : public Sampler {
 public:
  KarrasSampler(TimeGrid grid, std::shared_ptr<const ForwardProcess> process, KarrasOrder order,
                ChurnOptions churn)
      : grid_(std::move(grid)),
        process_(std::move(process)),
        flow_(StraightFlowFor(grid_.levels.front())),
        order_(order),
        churn_(churn) {}

  int64_t network_evaluations() const override {
    const auto steps = static_cast<int64_t>(grid_.steps());
    if (order_ == KarrasOrder::kEuler) return steps;
    return grid_.levels.back().sigma > 0 ? 2 * steps : 2 * steps - 1;
  }

  at::Tensor Run(const at::Tensor& noise, const Denoiser& denoiser,
                 const NoiseSource& noise_source) const override {
    at::Tensor sample = grid_.initial_scale * noise;
    for (size_t step = 0; step < grid_.steps(); ++step) {
      NoiseLevel from = grid_.levels[step];
      const NoiseLevel& to = grid_.levels[step + 1];
      if (const NoiseLevel raised = Raised(from); raised.sigma != from.sigma) {
        const double more = Ratio(raised) * Ratio(raised) - Ratio(from) * Ratio(from);
        sample =
            raised.alpha * (sample / from.alpha + churn_.noise * std::sqrt(more) *
                                                      noise_source(static_cast<int64_t>(step)));
        from = raised;
      }
      sample = Step(from, to, sample, denoiser);
    }
    return sample;
  }

 private:
  static double Ratio(const NoiseLevel& level) { return level.sigma / level.alpha; }

  // `level` with the noise that a step begins with: sigma + gamma sigma.
  NoiseLevel Raised(const NoiseLevel& level) const {
    const double ratio = Ratio(level);
    if (churn_.churn <= 0 || level.alpha <= 0 || ratio < churn_.min || ratio > churn_.max) {
      return level;
    }
    const double gamma = std::min(churn_.churn / static_cast<double>(grid_.steps()), kMostChurn);
    const NoiseLevel raised = LevelOfRatio(*process_, ratio * (1 + gamma));
    return Ratio(raised) > ratio ? raised : level;
  }

  at::Tensor Step(const NoiseLevel& from, const NoiseLevel& to, const at::Tensor& sample,
                  const Denoiser& denoiser) const {
    const double length = flow_.Position(to) - flow_.Position(from);
    const at::Tensor straight = flow_.Scale(from) * sample;
    const at::Tensor slope = flow_.Slope(sample, denoiser(sample, from).original, from);
    const at::Tensor first = (straight + length * slope) / flow_.Scale(to);
    if (order_ == KarrasOrder::kEuler || to.sigma == 0) return first;
    const at::Tensor end_slope = flow_.Slope(first, denoiser(first, to).original, to);
    return (straight + length / 2 * (slope + end_slope)) / flow_.Scale(to);
  }

  const TimeGrid grid_;
  const std::shared_ptr<const ForwardProcess> process_;
  const StraightFlow flow_;
  const KarrasOrder order_;
  const ChurnOptions churn_;
};

}  // namespace

std::unique_ptr<Sampler> MakeKarrasSampler(TimeGrid grid,
                                           std::shared_ptr<const ForwardProcess> process,
                                           KarrasOrder order, ChurnOptions churn) {
  return std::make_unique<KarrasSampler>(std::move(grid), std::move(process), order, churn);
}

}  // namespace langevin::diffusion
