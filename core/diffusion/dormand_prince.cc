#include "core/diffusion/dormand_prince.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "ATen/ATen.h"

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

}  // namespace

at::Tensor IntegrateDormandPrince(const at::Tensor& start, double begin, double end,
                                  double tolerance, const Slope& slope) {
  at::Tensor y = start;
  double u = begin;
  double step = kFirstStep * (end - begin);
  std::array<at::Tensor, 7> slopes;
  slopes[0] = slope(u, y);
  for (int i = 0; i < kMostSteps && u != end; ++i) {
    const bool is_last = std::abs(step) >= std::abs(end - u);
    if (is_last) step = end - u;
    at::Tensor next;
    for (size_t stage = 1; stage < 7; ++stage) {
      next = y;
      for (size_t j = 0; j < stage; ++j) {
        if (kWeights[stage][j] != 0) next = next + step * kWeights[stage][j] * slopes[j];
      }
      slopes[stage] = slope(is_last && stage >= 5 ? end : u + kPlaces[stage] * step, next);
    }
    at::Tensor difference = kError[0] * slopes[0];
    for (size_t stage = 2; stage < 7; ++stage) {
      difference = difference + kError[stage] * slopes[stage];
    }
    const at::Tensor scale = tolerance + tolerance * at::maximum(y.abs(), next.abs());
    const double error = at::sqrt(at::mean(at::square(step * difference / scale))).item<double>();
    if (!std::isfinite(error)) return next;  // Not finite either; smaller steps would not help.
    if (error <= 1) {
      u = is_last ? end : u + step;
      y = next;
      slopes[0] = slopes[6];  // The last stage is the next step's first.
    }
    const double factor = error == 0 ? kMostFactor : kSafety * std::pow(error, -0.2);
    step *= std::clamp(factor, kLeastFactor, error <= 1 ? kMostFactor : 1.0);
  }
  return y;
}

}  // namespace langevin::diffusion
