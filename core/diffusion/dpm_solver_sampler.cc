#include <cmath>
#include <utility>

#include "ATen/ATen.h"
#include "core/diffusion/samplers.h"

namespace langevin::diffusion {
namespace {

// diffusers lowers orders at the end only of runs shorter than this.
constexpr size_t kManySteps = 15;

class DpmSolverSampler : public Sampler {
 public:
  DpmSolverSampler(TimeGrid grid, DpmSolverOptions options)
      : grid_(std::move(grid)), options_(options) {}

  int64_t network_evaluations() const override { return static_cast<int64_t>(grid_.steps()); }

  at::Tensor Run(const at::Tensor& noise, const Denoiser& denoiser,
                 const NoiseSource& noise_source) const override {
    at::Tensor sample = grid_.initial_scale * noise;
    std::vector<at::Tensor> originals;  // Of all steps so far, newest last; three are kept.
    for (size_t step = 0; step < grid_.steps(); ++step) {
      originals.push_back(denoiser(sample, grid_.levels[step]).original);
      if (originals.size() > 3) originals.erase(originals.begin());
      const at::Tensor fresh = options_.is_stochastic && grid_.levels[step + 1].sigma > 0
                                   ? noise_source(static_cast<int64_t>(step))
                                   : at::Tensor();
      sample = Step(step, sample, originals, fresh);
    }
    return sample;
  }

 private:
  int OrderAt(size_t step) const {
    const size_t left = grid_.steps() - step;
    const bool lowers = options_.lower_order_final && grid_.steps() < kManySteps;
    if (left == 1 && (options_.euler_at_final || lowers || grid_.levels.back().sigma == 0)) {
      return 1;
    }
    int order = std::min(options_.order, static_cast<int>(step) + 1);
    if (left == 2 && lowers) order = std::min(order, 2);
    // Differences by lambda need finite ones.
    while (order > 1 && grid_.levels[step + 1 - order].alpha <= 0) --order;
    return order;
  }

  // Lu et al. 2022, equation 9 and its Taylor terms. With h the step in lambda, the solution is
  //   x' = (sigma' / sigma) e^{-(c-1) h} x + alpha' (1 - e^{-c h}) (D + terms of its differences),
  // c = 1, and for the SDE c = 2 and noise of variance sigma'^2 (1 - e^{-2h}).
  at::Tensor Step(size_t step, const at::Tensor& sample, const std::vector<at::Tensor>& originals,
                  const at::Tensor& fresh) const {
    const NoiseLevel& from = grid_.levels[step];
    const NoiseLevel& to = grid_.levels[step + 1];
    const double c = options_.is_stochastic ? 2 : 1;
    // e^{-h}, 0 where one of the levels has no noise or no signal.
    const double decay = to.sigma * from.alpha / (to.alpha * from.sigma);
    const double h = -std::log(decay);
    if (h <= 0) return sample;
    const double weight = 1 - std::pow(decay, c);
    const at::Tensor& newest = originals.back();
    at::Tensor next = to.sigma / from.sigma * (options_.is_stochastic ? decay : 1) * sample +
                      to.alpha * weight * newest;
    const int order = OrderAt(step);
    if (order > 1) {
      const double h_0 = internal::Lambda(from) - internal::Lambda(grid_.levels[step - 1]);
      const double r_0 = h_0 / h;
      at::Tensor first = (newest - originals[originals.size() - 2]) / r_0;
      // The integrals of e^{c lambda} with lambda and lambda^2 / 2, in units of h and h^2.
      const double linear = 1 - weight / (c * h);
      if (order == 2) {
        next += to.alpha * (options_.is_heun ? linear : weight / 2) * first;
      } else {
        const double h_1 =
            internal::Lambda(grid_.levels[step - 1]) - internal::Lambda(grid_.levels[step - 2]);
        const double r_1 = h_1 / h;
        const at::Tensor earlier =
            (originals[originals.size() - 2] - originals[originals.size() - 3]) / r_1;
        const at::Tensor second = (first - earlier) / (r_0 + r_1);
        first = first + r_0 * second;
        const double quadratic = (weight - c * h) / (c * h * c * h) + 0.5;
        next += to.alpha * (linear * first + quadratic * second);
      }
    }
    if (fresh.defined()) next += to.sigma * std::sqrt(weight) * fresh;
    return next;
  }

  const TimeGrid grid_;
  const DpmSolverOptions options_;
};

}  // namespace

std::unique_ptr<Sampler> MakeDpmSolverSampler(TimeGrid grid, DpmSolverOptions options) {
  return std::make_unique<DpmSolverSampler>(std::move(grid), options);
}

}  // namespace langevin::diffusion
