#include "core/metrics/memorisation.h"

#include <algorithm>
#include <cmath>

namespace langevin::metrics {

double Percentile(std::vector<double> values, double percent) {
  std::sort(values.begin(), values.end());
  const double place = percent / 100 * static_cast<double>(values.size() - 1);
  const size_t below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (place - std::floor(place)) * (values[above] - values[below]);
}

Memorisation ComputeMemorisation(const at::Tensor& samples, const at::Tensor& held_out,
                                 const at::Tensor& training, const BootstrapOptions& options,
                                 int threads) {
  Memorisation result = {.of_samples = NearestRows(samples, training, threads),
                         .of_held_out = NearestRows(held_out, training, threads)};
  result.threshold = Percentile(result.of_held_out.distances, kMemorisationPercentile);
  std::vector<double> nearer;
  for (const double distance : result.of_samples.distances) {
    nearer.push_back(distance < result.threshold ? 1 : 0);
  }
  result.share = BootstrapMean(nearer, options, 0, 1);
  return result;
}

}  // namespace langevin::metrics
