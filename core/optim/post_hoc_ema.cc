#include "core/optim/post_hoc_ema.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/optim/power_ema.h"

namespace langevin::optim {
namespace {

using Real = long double;

// How far a stored average is from the true one, relative to the weights: fp32, rounded in every
// step. Coefficients so large that they would make this matter are kept down.
constexpr Real kStoredError = 1e-6L;

// The integral of the product of two profiles (gamma + 1) s^gamma / t^(gamma + 1), 0 < s < t, which
// is where both are.
Real Product(double images_a, double gamma_a, double images_b, double gamma_b) {
  if (images_a > images_b) {
    std::swap(images_a, images_b);
    std::swap(gamma_a, gamma_b);
  }
  const Real a = gamma_a, b = gamma_b;
  return (a + 1) * (b + 1) / (a + b + 1) * std::pow(Real{images_a} / images_b, b) / images_b;
}

Real Dot(const std::vector<Real>& a, const std::vector<Real>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), Real{0});
}

Real Sum(const std::vector<Real>& values) {
  return std::accumulate(values.begin(), values.end(), Real{0});
}

}  // namespace

PostHocEma::PostHocEma(std::vector<PowerProfile> stored, double images)
    : stored_(std::move(stored)), images_(images) {
  const size_t n = stored_.size();
  for (const PowerProfile& profile : stored_) gammas_.push_back(PowerGammaOf(profile.std));
  products_.resize(n * n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) {
      products_[i * n + j] =
          images_ * Product(stored_[i].images, gammas_[i], stored_[j].images, gammas_[j]);
    }
  }
  factor_ = products_;
  for (size_t i = 0; i < n; ++i) factor_[i * n + i] += kStoredError * kStoredError;
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j <= i; ++j) {
      Real rest = factor_[i * n + j];
      for (size_t k = 0; k < j; ++k) rest -= factor_[i * n + k] * factor_[j * n + k];
      factor_[i * n + j] = i == j ? std::sqrt(rest) : rest / factor_[j * n + j];
    }
  }
  ones_ = Backsolve(std::vector<Real>(n, 1));
}

std::vector<PostHocEma::Real> PostHocEma::Backsolve(std::vector<Real> right) const {
  const size_t n = right.size();
  for (size_t i = 0; i < n; ++i) {
    for (size_t k = 0; k < i; ++k) right[i] -= factor_[i * n + k] * right[k];
    right[i] /= factor_[i * n + i];
  }
  for (size_t i = n; i-- > 0;) {
    for (size_t k = i + 1; k < n; ++k) right[i] -= factor_[k * n + i] * right[k];
    right[i] /= factor_[i * n + i];
  }
  return right;
}

PostHocSum PostHocEma::Solve(double std) const {
  const double gamma = PowerGammaOf(std);
  const size_t n = stored_.size();
  std::vector<Real> wanted(n);  // Products with the profile that is wanted.
  for (size_t i = 0; i < n; ++i) {
    wanted[i] = images_ * Product(stored_[i].images, gammas_[i], images_, gamma);
  }
  // The least squares of the whole space, moved onto the plane where coefficients add up to 1.
  std::vector<Real> x = Backsolve(wanted);
  const Real shift = (1 - Sum(x)) / Sum(ones_);
  for (size_t i = 0; i < n; ++i) x[i] += shift * ones_[i];

  const Real norm = images_ * Product(images_, gamma, images_, gamma);
  Real distance = norm - 2 * Dot(wanted, x);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) distance += x[i] * products_[i * n + j] * x[j];
  }
  return {.coefficients = {x.begin(), x.end()},
          .error = static_cast<double>(std::sqrt(std::max<Real>(0, distance) / norm))};
}

std::pair<double, double> PostHocEma::RangeAround(double std) const {
  const auto reaches = [&](int thousandths) {
    return Solve(thousandths / 1000.0).error <= kMostPostHocError;
  };
  constexpr int kLeast = 1, kMost = 288;  // Below 1 / sqrt(12).
  const double scaled = std * 1000;
  int low = std::clamp(static_cast<int>(std::ceil(scaled)), kLeast, kMost);
  int high = std::clamp(static_cast<int>(std::floor(scaled)), kLeast, kMost);
  while (low > kLeast && reaches(low - 1)) --low;
  while (high < kMost && reaches(high + 1)) ++high;
  return {low / 1000.0, high / 1000.0};
}

}  // namespace langevin::optim
