// Exact Euclidean nearest neighbours by comparing all pairs, in blocks.
//
// Distances are |a|^2 + |b|^2 - 2 a . b in double precision, of rows from which the table's mean
// was taken. They are right to about 1e-7 of the features' spread; below 1e-6 of it they are 0, so
// that a copy is at distance 0. Features are (N, D) fp32 on the CPU. Memory: 256 x 4096 distances a
// thread. Any thread; the result does not depend on `threads`.
#ifndef LANGEVIN_CORE_METRICS_NEIGHBOURS_H_
#define LANGEVIN_CORE_METRICS_NEIGHBOURS_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "ATen/core/Tensor.h"

namespace langevin::metrics {

struct Nearest {
  std::vector<double> distances;
  std::vector<int64_t> indices;  // In the table.
};

// For each row of `queries` the nearest row of `table`, at least one.
Nearest NearestRows(const at::Tensor& queries, const at::Tensor& table, int threads);

// For each row of `table` the distances of its k nearest other rows, ascending: (N * k). Infinity
// for those that are not there.
std::vector<double> NeighbourDistances(const at::Tensor& table, int64_t k, int threads);

// Calls body(query, first, squared, count) for every row of `queries` and parts [first, first +
// count) of `table`, ascending: squared[i] is the squared distance to row first + i, at least 0.
// Calls for different queries come from several threads.
void ForDistances(const at::Tensor& queries, const at::Tensor& table, int threads,
                  const std::function<void(int64_t query, int64_t first, const double* squared,
                                           int64_t count)>& body);

}  // namespace langevin::metrics

#endif  // LANGEVIN_CORE_METRICS_NEIGHBOURS_H_
