#include "core/metrics/bootstrap.h"

#include <algorithm>
#include <cmath>

#include "ATen/ATen.h"
#include "core/base/philox.h"

namespace langevin::metrics {

at::Tensor BootstrapCounts(uint64_t seed, int64_t replicate, int64_t count, Drawn drawn) {
  const RandomStream stream(seed, static_cast<uint64_t>(replicate), RandomPurpose::kBootstrap,
                            static_cast<uint32_t>(drawn));
  at::Tensor counts = at::zeros({count}, at::kDouble);
  double* const values = counts.data_ptr<double>();
  for (int64_t i = 0; i < count; ++i) {
    values[stream.UniformInt(static_cast<uint32_t>(i), static_cast<uint32_t>(count))] += 1;
  }
  return counts;
}

Estimate WithInterval(double value, const std::vector<double>& replicates, double least,
                      double most) {
  if (replicates.size() < 2) return {value, value, value};
  const double count = static_cast<double>(replicates.size());
  double mean = 0, squares = 0;
  for (const double replicate : replicates) mean += replicate / count;
  for (const double replicate : replicates) squares += (replicate - mean) * (replicate - mean);
  const double reach = 1.96 * std::sqrt(squares / (count - 1));
  return {.value = value,
          .low = std::min(value, std::max(least, value - reach)),
          .high = std::max(value, std::min(most, value + reach))};
}

Estimate BootstrapMean(const std::vector<double>& values, const BootstrapOptions& options,
                       double least, double most) {
  const int64_t count = static_cast<int64_t>(values.size());
  const double size = static_cast<double>(count);
  double sum = 0;
  for (const double value : values) sum += value;
  std::vector<double> replicates;
  for (int64_t b = 0; b < options.replicates; ++b) {
    const RandomStream stream(options.seed, static_cast<uint64_t>(b), RandomPurpose::kBootstrap);
    double drawn = 0;
    for (int64_t i = 0; i < count; ++i) {
      drawn += values[stream.UniformInt(static_cast<uint32_t>(i), static_cast<uint32_t>(count))];
    }
    replicates.push_back(drawn / size);
  }
  return WithInterval(sum / size, replicates, least, most);
}

}  // namespace langevin::metrics
