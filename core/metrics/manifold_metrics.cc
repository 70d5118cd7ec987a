#include "core/metrics/manifold_metrics.h"

#include <limits>
#include <vector>

#include "ATen/ATen.h"
#include "core/metrics/neighbours.h"

namespace langevin::metrics {
namespace {

// Balls are closed: a copy of the image that a ball reaches to is inside, whatever the last bit of
// its distance is.
constexpr double kTie = 1 + 1e-9;

// For each of `queries`, in how many balls around rows of `table` it lies.
std::vector<double> BallsAround(const at::Tensor& queries, const at::Tensor& table,
                                const std::vector<double>& radii, int threads) {
  std::vector<double> balls(static_cast<size_t>(queries.size(0)), 0);
  std::vector<double> squared_radii;
  for (const double radius : radii) squared_radii.push_back(radius * radius * kTie * kTie);
  ForDistances(queries, table, threads,
               [&](int64_t query, int64_t first, const double* squared, int64_t size) {
                 const double* const radius = squared_radii.data() + first;
                 int64_t inside = 0;
                 for (int64_t i = 0; i < size; ++i) inside += squared[i] <= radius[i];
                 balls[static_cast<size_t>(query)] += static_cast<double>(inside);
               });
  return balls;
}

std::vector<double> IsInSome(std::vector<double> balls) {
  for (double& count : balls) count = count > 0 ? 1 : 0;
  return balls;
}

}  // namespace

Manifold::Manifold(const at::Tensor& features, int threads)
    : features_(features),
      distances_(NeighbourDistances(features, kDensityCoverageNeighbours, threads)) {}

std::vector<double> Manifold::Radii(int64_t k) const {
  std::vector<double> radii;
  for (size_t i = static_cast<size_t>(k) - 1; i < distances_.size();
       i += static_cast<size_t>(kDensityCoverageNeighbours)) {
    radii.push_back(distances_[i]);
  }
  return radii;
}

PrecisionRecall ComputePrecisionRecall(const at::Tensor& samples, const Manifold& reference,
                                       const BootstrapOptions& options, int threads) {
  const std::vector<double> in_reference = BallsAround(
      samples, reference.features(), reference.Radii(kPrecisionRecallNeighbours), threads);
  const std::vector<double> in_samples =
      BallsAround(reference.features(), samples,
                  Manifold(samples, threads).Radii(kPrecisionRecallNeighbours), threads);
  return {.precision = BootstrapMean(IsInSome(in_reference), options, 0, 1),
          .recall = BootstrapMean(IsInSome(in_samples), options, 0, 1)};
}

DensityCoverage ComputeDensityCoverage(const at::Tensor& samples, const Manifold& reference,
                                       const BootstrapOptions& options, int threads) {
  const std::vector<double> radii = reference.Radii(kDensityCoverageNeighbours);
  std::vector<double> densities = BallsAround(samples, reference.features(), radii, threads);
  for (double& balls : densities) balls /= static_cast<double>(kDensityCoverageNeighbours);
  const Nearest nearest = NearestRows(reference.features(), samples, threads);
  std::vector<double> covered;
  for (size_t i = 0; i < radii.size(); ++i) {
    covered.push_back(nearest.distances[i] <= radii[i] * kTie ? 1 : 0);
  }
  return {.density = BootstrapMean(densities, options, 0, std::numeric_limits<double>::infinity()),
          .coverage = BootstrapMean(covered, options, 0, 1)};
}

}  // namespace langevin::metrics
