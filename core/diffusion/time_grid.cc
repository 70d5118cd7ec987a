#include "core/diffusion/time_grid.h"

#include <cmath>

namespace langevin::diffusion {
namespace {

// The regularised incomplete beta function I_x(a, b) by its continued fraction (Abramowitz and
// Stegun 26.5.8), evaluated from the front by Lentz's method; for x < (a + 1) / (a + b + 2).
double IncompleteBetaFraction(double a, double b, double x) {
  constexpr double kTiny = 1e-300;
  const double log_front =
      std::lgamma(a + b) - std::lgamma(a) - std::lgamma(b) + a * std::log(x) + b * std::log1p(-x);
  double c = 1, d = 1 - (a + b) * x / (a + 1);
  d = 1 / (std::abs(d) < kTiny ? kTiny : d);
  double fraction = d;
  for (int m = 1; m < 500; ++m) {
    const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
    const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
    double change = 1;
    for (const double term : {even, odd}) {
      d = 1 + term * d;
      d = 1 / (std::abs(d) < kTiny ? kTiny : d);
      c = 1 + term / c;
      if (std::abs(c) < kTiny) c = kTiny;
      change = c * d;
      fraction *= change;
    }
    if (std::abs(change - 1) < 1e-15) break;
  }
  return std::exp(log_front) * fraction / a;
}

double IncompleteBeta(double a, double b, double x) {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  return x < (a + 1) / (a + b + 2) ? IncompleteBetaFraction(a, b, x)
                                   : 1 - IncompleteBetaFraction(b, a, 1 - x);
}

// The x where I_x(a, b) is `probability`, by bisection.
double BetaQuantile(double a, double b, double probability) {
  double low = 0, high = 1;
  for (int i = 0; i < 200 && high - low > 1e-16 * high; ++i) {
    const double middle = (low + high) / 2;
    (IncompleteBeta(a, b, middle) < probability ? low : high) = middle;
  }
  return (low + high) / 2;
}

}  // namespace

std::vector<double> EvenlySpaced(double first, double last, int64_t count) {
  std::vector<double> values;
  for (int64_t i = 0; i < count; ++i) {
    values.push_back(i == 0 ? first
                            : first + (last - first) * static_cast<double>(i) /
                                          static_cast<double>(count - 1));
  }
  return values;
}

std::vector<double> KarrasSpaced(double high, double low, double rho, int64_t count) {
  std::vector<double> values = EvenlySpaced(std::pow(high, 1 / rho), std::pow(low, 1 / rho), count);
  for (double& value : values) value = std::pow(value, rho);
  return values;
}

std::vector<double> LogSpaced(double high, double low, int64_t count) {
  std::vector<double> values = EvenlySpaced(std::log(high), std::log(low), count);
  for (double& value : values) value = std::exp(value);
  return values;
}

std::vector<double> BetaSpaced(double high, double low, int64_t count) {
  constexpr double kShape = 0.6;
  std::vector<double> values = EvenlySpaced(1, 0, count);
  for (double& value : values) {
    const double quantile = value <= 0 ? 0 : value >= 1 ? 1 : BetaQuantile(kShape, kShape, value);
    value = low + quantile * (high - low);
  }
  return values;
}

double ShiftedTime(double t, double shift) { return shift * t / (1 + (shift - 1) * t); }

NoiseLevel CleanLevel() { return {.t = 0, .alpha = 1, .sigma = 0}; }

NoiseLevel LevelOfRatio(const ForwardProcess& process, double ratio) {
  return ratio <= 0 ? CleanLevel() : process.At(process.TimeOfRatio(ratio));
}

NoiseLevel VariancePreservingLevel(double ratio, double network_time) {
  const double alpha = 1 / std::sqrt(1 + ratio * ratio);
  return {.t = network_time, .alpha = alpha, .sigma = ratio * alpha, .network_time = network_time};
}

}  // namespace langevin::diffusion
