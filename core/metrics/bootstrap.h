// How far a metric would move with another draw of images: the bootstrap (Efron 1979).
//
// Replicate b draws as many images as there are, with replacement; its counts say how often each
// was drawn. The interval is value +- 1.96 standard deviations of the replicates (the standard
// bootstrap interval). Percentiles of the replicates would lie above the value for distances such
// as FID, which grow when images are drawn twice.
//
// Pure functions; any thread.
#ifndef LANGEVIN_CORE_METRICS_BOOTSTRAP_H_
#define LANGEVIN_CORE_METRICS_BOOTSTRAP_H_

#include <cstdint>
#include <vector>

#include "ATen/core/Tensor.h"

namespace langevin::metrics {

// A metric and its 95 % interval; low == high == value without replicates.
struct Estimate {
  double value = 0;
  double low = 0;
  double high = 0;
};

struct BootstrapOptions {
  uint64_t seed = 0;
  int64_t replicates = 200;  // 0: no interval.
};

// Whose images are drawn: one metric may draw both sets' without one following the other.
enum class Drawn : uint32_t { kSamples = 0, kReference = 1 };

// Replicate `replicate` of `count` images: (count), float64, how often each was drawn. Sums to
// count. A function of its arguments. Requires 1 <= count <= 2^31.
at::Tensor BootstrapCounts(uint64_t seed, int64_t replicate, int64_t count,
                           Drawn drawn = Drawn::kSamples);

// The interval around `value` that `replicates` give, cut off at `least` and `most`.
Estimate WithInterval(double value, const std::vector<double>& replicates, double least,
                      double most);

// The mean of `values`, at least one and within [least, most], one for each image that is drawn.
Estimate BootstrapMean(const std::vector<double>& values, const BootstrapOptions& options,
                       double least, double most);

}  // namespace langevin::metrics

#endif  // LANGEVIN_CORE_METRICS_BOOTSTRAP_H_
