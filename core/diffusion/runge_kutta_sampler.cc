#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "ATen/ATen.h"
#include "core/diffusion/samplers.h"
#include "core/diffusion/straight_flow.h"

namespace langevin::diffusion {
namespace {

// Dormand and Prince 1980, table 2: where stages are, how they depend on each other (the last row
// is also the solution of order 5), and order 5 less order 4.
constexpr std::array<double, 7> kPlaces = {0, 1.0 / 5, 3.0 / 10, 4.0 / 5, 8.0 / 9, 1, 1};
constexpr std::array<std::array<double, 6>, 7> kWeights = {{
    {},
    {1.0 / 5},
    {3.0 / 40, 9.0 / 40},
    {44.0 / 45, -56.0 / 15, 32.0 / 9},
    {19372.0 / 6561, -25360.0 / 2187, 64448.0 / 6561, -212.0 / 729},
    {9017.0 / 3168, -355.0 / 33, 46732.0 / 5247, 49.0 / 176, -5103.0 / 18656},
    {35.0 / 384, 0, 500.0 / 1113, 125.0 / 192, -2187.0 / 6784, 11.0 / 84},
}};
constexpr std::array<double, 7> kError = {71.0 / 57600,      0,          -71.0 / 16695, 71.0 / 1920,
                                          -17253.0 / 339200, 22.0 / 525, -1.0 / 40};

// Hairer, Norsett and Wanner, section II.4: the step follows error^(-1/5), with these bounds.
constexpr double kSafety = 0.9, kLeastFactor = 0.2, kMostFactor = 10;
constexpr double kFirstStep = 0.01;  // Of the whole way; the error says soon what it should be.
constexpr int kMostSteps = 100000;   // Where values are not finite, errors never get small.

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
    at::Tensor y = flow_.Scale(first_) * start;
    const double end = flow_.Position(last_);
    double u = flow_.Position(first_);
    double step = kFirstStep * (end - u);
    std::array<at::Tensor, 7> slopes;
    slopes[0] = SlopeAt(u, y, denoiser);
    for (int i = 0; i < kMostSteps && u > end; ++i) {
      step = std::max(step, end - u);
      at::Tensor next;
      for (size_t stage = 1; stage < 7; ++stage) {
        next = y;
        for (size_t j = 0; j < stage; ++j) {
          if (kWeights[stage][j] != 0) next = next + step * kWeights[stage][j] * slopes[j];
        }
        const double place = step == end - u && stage >= 5 ? end : u + kPlaces[stage] * step;
        slopes[stage] = SlopeAt(place, next, denoiser);
      }
      at::Tensor difference = kError[0] * slopes[0];
      for (size_t stage = 2; stage < 7; ++stage) {
        difference = difference + kError[stage] * slopes[stage];
      }
      const at::Tensor scale = tolerance_ + tolerance_ * at::maximum(y.abs(), next.abs());
      const double error = at::sqrt(at::mean(at::square(step * difference / scale))).item<double>();
      if (!std::isfinite(error)) return next;  // Not finite either; smaller steps would not help.
      if (error <= 1) {
        u = step == end - u ? end : u + step;
        y = next;
        slopes[0] = slopes[6];  // The last stage is the next step's first.
      }
      const double factor = error == 0 ? kMostFactor : kSafety * std::pow(error, -0.2);
      step *= std::clamp(factor, kLeastFactor, error <= 1 ? kMostFactor : 1.0);
    }
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
