// Where an axis has its ticks, and what is written there.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/chart.h"

namespace langevin {
namespace {

// The smallest of 1, 2, 5 times a power of ten that is not below `step`.
double RoundStep(double step) {
  const double power = std::pow(10, std::floor(std::log10(step)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= step * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

// `value` with as many decimals as multiples of `step` need.
std::string WithDecimalsOf(double step, double value) {
  const int decimals = std::clamp(static_cast<int>(-std::floor(std::log10(step) + 1e-9)), 0, 15);
  return absl::StrFormat("%.*f", decimals, value);
}

// "0", "0.25", "40k", "1.5M", "2e-05" written "2e-5". `largest` is the axis's largest absolute
// value: all ticks of an axis have the same unit.
std::string TickLabel(double value, double step, double largest) {
  if (std::abs(value) < step * 1e-6) return "0";
  const int exponent = static_cast<int>(std::floor(std::log10(largest) + 1e-9));
  if (exponent >= 15 || exponent < -3) {
    const double unit = std::pow(10, exponent);
    return absl::StrCat(WithDecimalsOf(step / unit, value / unit), "e", exponent);
  }
  double unit = 1;
  const char* suffix = "";
  for (const auto& [power, name] : {std::pair{12, "T"}, {9, "G"}, {6, "M"}, {3, "k"}}) {
    if (exponent >= power && (power > 3 || exponent > 3)) {  // 1,000 to 9,999 need no unit.
      unit = std::pow(10, power);
      suffix = name;
      break;
    }
  }
  return absl::StrCat(WithDecimalsOf(step / unit, value / unit), suffix);
}

}  // namespace

AxisTicks LinearTicks(double low, double high, int count) {
  const double step = RoundStep((high - low) / count);
  const auto first = static_cast<int64_t>(std::floor(low / step + 1e-9));
  const auto last = static_cast<int64_t>(std::ceil(high / step - 1e-9));
  const double largest =
      std::max(std::abs(static_cast<double>(first)), std::abs(static_cast<double>(last))) * step;
  AxisTicks ticks;
  for (int64_t i = first; i <= last; ++i) {
    ticks.positions.push_back(static_cast<double>(i) * step);
    ticks.labels.push_back(TickLabel(ticks.positions.back(), step, largest));
  }
  return ticks;
}

AxisTicks LogTicks(double low, double high) {
  const int first_power = static_cast<int>(std::floor(std::log10(low) + 1e-9));
  const int last_power = static_cast<int>(std::ceil(std::log10(high) - 1e-9));
  const int decades = last_power - first_power;
  const std::vector<double> factors =
      decades <= 3 ? std::vector<double>{1, 2, 5} : std::vector<double>{1};
  const int stride = decades <= 6 ? 1 : (decades + 5) / 6;
  AxisTicks ticks;
  for (int power = first_power; power <= last_power + stride; power += stride) {
    for (const double factor : factors) {
      const double value = factor * std::pow(10, power);
      // Of the ticks outside, only the nearest on each side are needed.
      if (value <= low * (1 + 1e-9)) {
        ticks.positions.clear();
        ticks.labels.clear();
      }
      if (!ticks.positions.empty() && ticks.positions.back() >= high * (1 - 1e-9)) return ticks;
      ticks.positions.push_back(value);
      ticks.labels.push_back(TickLabel(value, value / factor, value));
    }
  }
  return ticks;
}

}  // namespace langevin
