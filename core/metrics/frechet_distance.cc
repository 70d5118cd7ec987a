#include "core/metrics/frechet_distance.h"

#include <algorithm>
#include <limits>
#include <vector>

#include "ATen/ATen.h"
#include "core/metrics/blocks.h"

namespace langevin::metrics {
namespace {

constexpr int64_t kMomentRows = 1024;  // Brought to double precision at a time.
constexpr int64_t kTileColumns = 256;  // Of the covariance, computed by one thread.
constexpr int64_t kManyFeatures = 512;
constexpr int64_t kReplicatesOfMany = 40;

// Rows [begin, begin + size) in double precision.
at::Tensor Rows(const at::Tensor& features, int64_t begin, int64_t size) {
  return features.narrow(0, begin, size).to(at::kDouble);
}

}  // namespace

GaussianMoments MomentsOf(const at::Tensor& features, const at::Tensor& counts, int threads) {
  const SingleThreadedTorch single_threaded;
  const int64_t rows = features.size(0), width = features.size(1);
  const at::Tensor taken = counts.defined() ? counts : at::ones({rows}, at::kDouble);
  const double total = taken.sum().item<double>();
  at::Tensor mean = at::zeros({width}, at::kDouble);
  for (int64_t begin = 0; begin < rows; begin += kMomentRows) {
    const int64_t size = std::min(kMomentRows, rows - begin);
    mean += taken.narrow(0, begin, size).matmul(Rows(features, begin, size));
  }
  mean /= total;
  at::Tensor covariance = at::zeros({width, width}, at::kDouble);
  ForBlocks(width, threads, kTileColumns, [&](int64_t, int64_t first, int64_t last) {
    at::Tensor tile = covariance.narrow(0, first, last - first);
    for (int64_t begin = 0; begin < rows; begin += kMomentRows) {
      const int64_t size = std::min(kMomentRows, rows - begin);
      const at::Tensor centred = Rows(features, begin, size) - mean;
      const at::Tensor weighted =
          centred.narrow(1, first, last - first) * taken.narrow(0, begin, size).unsqueeze(1);
      tile += weighted.t().matmul(centred);
    }
  });
  covariance /= total - 1;
  return {mean, covariance};
}

FrechetReference::FrechetReference(const GaussianMoments& reference)
    : mean_(reference.mean), trace_(reference.covariance.trace().item<double>()) {
  const SingleThreadedTorch single_threaded;
  const auto [values, vectors] = at::linalg_eigh(reference.covariance);
  root_ = (vectors * values.clamp_min(0).sqrt()).matmul(vectors.t());
}

double FrechetReference::DistanceTo(const GaussianMoments& other) const {
  const SingleThreadedTorch single_threaded;
  const at::Tensor product = root_.matmul(other.covariance).matmul(root_);
  const at::Tensor eigenvalues = at::linalg_eigvalsh((product + product.t()) / 2);
  const double root_trace = eigenvalues.clamp_min(0).sqrt().sum().item<double>();
  const double offset = (other.mean - mean_).square().sum().item<double>();
  const double trace = other.covariance.trace().item<double>();
  return std::max(0.0, offset + trace_ + trace - 2 * root_trace);
}

Estimate FrechetDistance(const at::Tensor& samples, const FrechetReference& reference,
                         const BootstrapOptions& options, int threads) {
  const double value = reference.DistanceTo(MomentsOf(samples, {}, threads));
  const int64_t most =
      samples.size(1) > kManyFeatures ? kReplicatesOfMany : std::numeric_limits<int64_t>::max();
  std::vector<double> replicates(static_cast<size_t>(std::min(options.replicates, most)));
  ForBlocks(static_cast<int64_t>(replicates.size()), threads, 1, [&](int64_t b, int64_t, int64_t) {
    const at::Tensor counts = BootstrapCounts(options.seed, b, samples.size(0));
    replicates[static_cast<size_t>(b)] = reference.DistanceTo(MomentsOf(samples, counts, 1));
  });
  return WithInterval(value, replicates, 0, std::numeric_limits<double>::infinity());
}

}  // namespace langevin::metrics
