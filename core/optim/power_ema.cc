#include "core/optim/power_ema.h"

#include <cmath>

#include "absl/strings/str_format.h"

namespace langevin::optim {
namespace {

double VarianceOf(double gamma) { return (gamma + 1) / ((gamma + 2) * (gamma + 2) * (gamma + 3)); }

}  // namespace

double PowerGammaOf(double std) {
  // The variance falls with gamma, and is below gamma^-2. Halving gives the same bits everywhere.
  double low = 0, high = 1 / std;
  for (;;) {
    const double middle = low + (high - low) / 2;
    if (middle <= low || middle >= high) return middle;
    (VarianceOf(middle) > std * std ? low : high) = middle;
  }
}

double PowerDecayAt(double std, int64_t images_seen, int64_t global_batch) {
  const double kept =
      static_cast<double>(images_seen - global_batch) / static_cast<double>(images_seen);
  return std::pow(kept, PowerGammaOf(std) + 1);
}

std::string PowerEmaName(double std) { return absl::StrFormat("ema_std_%.9g", std); }

}  // namespace langevin::optim
