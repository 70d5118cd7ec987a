// Fidelity and diversity apart: how many samples look real, how much of the real data is covered.
//
// A set's manifold is the union of balls around its features, each reaching to the k-th nearest of
// the others. Precision and recall: Kynkaanniemi et al. 2019, "Improved Precision and Recall Metric
// for Assessing Generative Models", equations 1 and 2, k = 3. Density and coverage: Naeem et al.
// 2020, "Reliable Fidelity and Diversity Metrics for Generative Models", equations 3 and 4, k = 5.
//
// Features are (N, D) fp32 on the CPU. Any thread; results do not depend on `threads`.
#ifndef LANGEVIN_CORE_METRICS_MANIFOLD_METRICS_H_
#define LANGEVIN_CORE_METRICS_MANIFOLD_METRICS_H_

#include <cstdint>
#include <vector>

#include "ATen/core/Tensor.h"
#include "core/metrics/bootstrap.h"

namespace langevin::metrics {

constexpr int64_t kPrecisionRecallNeighbours = 3;
constexpr int64_t kDensityCoverageNeighbours = 5;

// A set's features and the balls around them, which take the time: all pairs are compared.
class Manifold {
 public:
  // Requires at least one row.
  Manifold(const at::Tensor& features, int threads);

  const at::Tensor& features() const { return features_; }
  // Of each ball, for the k-th nearest other row, k at most 5. Infinity where there are fewer.
  std::vector<double> Radii(int64_t k) const;

 private:
  at::Tensor features_;
  std::vector<double> distances_;  // (N * 5), of the nearest other rows, ascending.
};

struct PrecisionRecall {
  Estimate precision;  // The share of samples inside the reference's manifold. Draws samples.
  Estimate recall;     // The share of references inside the samples' manifold. Draws references.
};

// Requires more than kPrecisionRecallNeighbours rows in both.
PrecisionRecall ComputePrecisionRecall(const at::Tensor& samples, const Manifold& reference,
                                       const BootstrapOptions& options, int threads);

struct DensityCoverage {
  // In how many of the reference's balls a sample lies, over k; not bounded by 1. Draws samples.
  Estimate density;
  Estimate coverage;  // The share of the reference's balls with a sample in it. Draws references.
};

// Requires more than kDensityCoverageNeighbours references, and a sample.
DensityCoverage ComputeDensityCoverage(const at::Tensor& samples, const Manifold& reference,
                                       const BootstrapOptions& options, int threads);

}  // namespace langevin::metrics

#endif  // LANGEVIN_CORE_METRICS_MANIFOLD_METRICS_H_
