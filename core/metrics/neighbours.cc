#include "core/metrics/neighbours.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ATen/ATen.h"
#include "core/metrics/blocks.h"

namespace langevin::metrics {
namespace {

// Of |a|^2 + |b|^2: squared distances below are what rounding left of 0.
constexpr double kRounding = 1e-12;
constexpr double kFar = std::numeric_limits<double>::infinity();

}  // namespace

void ForDistances(const at::Tensor& queries, const at::Tensor& table, int threads,
                  const std::function<void(int64_t, int64_t, const double*, int64_t)>& body) {
  const SingleThreadedTorch single_threaded;
  // Distances between points far from the origin would lose digits.
  at::Tensor centre = at::zeros({table.size(1)}, at::kDouble);
  for (int64_t first = 0; first < table.size(0); first += kPairColumns) {
    const int64_t size = std::min(kPairColumns, table.size(0) - first);
    centre += table.narrow(0, first, size).to(at::kDouble).sum(0);
  }
  centre /= static_cast<double>(table.size(0));
  ForBlocks(queries.size(0), threads, kPairRows, [&](int64_t, int64_t begin, int64_t end) {
    const at::Tensor mine = queries.narrow(0, begin, end - begin).to(at::kDouble) - centre;
    const at::Tensor mine_norms = mine.square().sum(1);
    const double* const my_norms = mine_norms.data_ptr<double>();
    for (int64_t first = 0; first < table.size(0); first += kPairColumns) {
      const int64_t size = std::min(kPairColumns, table.size(0) - first);
      const at::Tensor theirs = table.narrow(0, first, size).to(at::kDouble) - centre;
      const at::Tensor their_norms = theirs.square().sum(1);
      const double* const norms = their_norms.data_ptr<double>();
      const at::Tensor products = mine.matmul(theirs.t());
      for (int64_t i = begin; i < end; ++i) {
        double* const row = products.data_ptr<double>() + (i - begin) * size;
        for (int64_t j = 0; j < size; ++j) {
          const double sum = my_norms[i - begin] + norms[j];
          const double squared = sum - 2 * row[j];
          row[j] = squared > kRounding * sum ? squared : 0;
        }
        body(i, first, row, size);
      }
    }
  });
}

Nearest NearestRows(const at::Tensor& queries, const at::Tensor& table, int threads) {
  const size_t count = static_cast<size_t>(queries.size(0));
  Nearest nearest = {std::vector<double>(count, kFar), std::vector<int64_t>(count, 0)};
  ForDistances(queries, table, threads,
               [&](int64_t query, int64_t first, const double* squared, int64_t size) {
                 double& least = nearest.distances[static_cast<size_t>(query)];
                 for (int64_t i = 0; i < size; ++i) {
                   if (squared[i] >= least) continue;
                   least = squared[i];
                   nearest.indices[static_cast<size_t>(query)] = first + i;
                 }
               });
  for (double& distance : nearest.distances) distance = std::sqrt(distance);
  return nearest;
}

std::vector<double> NeighbourDistances(const at::Tensor& table, int64_t k, int threads) {
  const size_t width = static_cast<size_t>(k);
  std::vector<double> least(static_cast<size_t>(table.size(0)) * width, kFar);
  ForDistances(table, table, threads,
               [&](int64_t row, int64_t first, const double* squared, int64_t size) {
                 double* const mine = least.data() + static_cast<size_t>(row) * width;
                 for (int64_t i = 0; i < size; ++i) {
                   if (squared[i] >= mine[k - 1] || first + i == row) continue;
                   double* const place = std::upper_bound(mine, mine + k, squared[i]);
                   std::move_backward(place, mine + k - 1, mine + k);
                   *place = squared[i];
                 }
               });
  for (double& distance : least) distance = std::sqrt(distance);
  return least;
}

}  // namespace langevin::metrics
