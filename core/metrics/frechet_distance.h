// The Frechet distance between two sets of features, each seen as a Gaussian: FID where the
// features are Inception's (Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule").
//
//     |m - r|^2 + tr(C + R - 2 (R^1/2 C R^1/2)^1/2)
//
// with means m, r and covariances C, R (divided by n - 1). The inner square root is of a symmetric
// matrix, so its trace is the sum of the roots of its eigenvalues; R^1/2 comes from R's
// eigenvectors.
//
// Features are (N, D) fp32 on the CPU; all sums are in double precision. Any thread.
#ifndef LANGEVIN_CORE_METRICS_FRECHET_DISTANCE_H_
#define LANGEVIN_CORE_METRICS_FRECHET_DISTANCE_H_

#include <cstdint>

#include "ATen/core/Tensor.h"
#include "core/metrics/bootstrap.h"

namespace langevin::metrics {

struct GaussianMoments {
  at::Tensor mean;        // (D), float64.
  at::Tensor covariance;  // (D, D), float64, divided by n - 1.
};

// The moments of features (N, D), row i taken counts[i] times ((N), float64; undefined: once each).
// Requires that at least 2 rows are taken.
GaussianMoments MomentsOf(const at::Tensor& features, const at::Tensor& counts, int threads);

// One side of the distance, prepared: R's mean, trace and square root.
class FrechetReference {
 public:
  explicit FrechetReference(const GaussianMoments& reference);

  // At least 0.
  double DistanceTo(const GaussianMoments& other) const;

 private:
  at::Tensor mean_;
  at::Tensor root_;  // R^1/2.
  double trace_;
};

// The distance of `samples` (at least 2 rows) to the reference. Replicates draw samples; above 512
// features, where each takes an eigendecomposition of seconds, there are at most 40.
Estimate FrechetDistance(const at::Tensor& samples, const FrechetReference& reference,
                         const BootstrapOptions& options, int threads);

}  // namespace langevin::metrics

#endif  // LANGEVIN_CORE_METRICS_FRECHET_DISTANCE_H_
