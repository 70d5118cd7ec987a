#include "core/metrics/kernel_distance.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "ATen/ATen.h"
#include "core/metrics/blocks.h"

namespace langevin::metrics {
namespace {

// For each row of `rows`: its kernel with all of `columns`, multiplied by `weights` (columns, B)
// and summed; (rows, B). Where both are the same table, of each pair only the one with the higher
// column counts, and no row with itself.
at::Tensor WeightedKernelSums(const at::Tensor& rows, const at::Tensor& columns,
                              const at::Tensor& weights, bool same, int threads) {
  const double per_value = 1 / static_cast<double>(rows.size(1));
  at::Tensor sums = at::zeros({rows.size(0), weights.size(1)}, at::kDouble);
  ForBlocks(rows.size(0), threads, kPairRows, [&](int64_t, int64_t begin, int64_t end) {
    const at::Tensor mine = rows.narrow(0, begin, end - begin).to(at::kDouble);
    at::Tensor out = sums.narrow(0, begin, end - begin);
    for (int64_t first = same ? begin : 0; first < columns.size(0); first += kPairColumns) {
      const int64_t size = std::min(kPairColumns, columns.size(0) - first);
      const at::Tensor kernel = mine.matmul(columns.narrow(0, first, size).to(at::kDouble).t());
      for (int64_t i = begin; i < end; ++i) {
        double* const values = kernel.data_ptr<double>() + (i - begin) * size;
        for (int64_t j = 0; j < size; ++j) {
          const double base = values[j] * per_value + 1;
          values[j] = base * base * base;
        }
        if (same) std::fill(values, values + std::clamp<int64_t>(i + 1 - first, 0, size), 0.0);
      }
      out.addmm_(kernel, weights.narrow(0, first, size));
    }
  });
  return sums;
}

}  // namespace

Estimate KernelDistance(const at::Tensor& samples, const at::Tensor& reference,
                        const BootstrapOptions& options, int threads) {
  const SingleThreadedTorch single_threaded;
  // Column 0: every image once; the others: the replicates.
  const auto drawn_of = [&](int64_t count, Drawn drawn) {
    at::Tensor taken = at::ones({count, options.replicates + 1}, at::kDouble);
    for (int64_t b = 0; b < options.replicates; ++b) {
      taken.select(1, b + 1).copy_(BootstrapCounts(options.seed, b, count, drawn));
    }
    return taken;
  };
  const double size = static_cast<double>(samples.size(0));
  const double references = static_cast<double>(reference.size(0));
  const at::Tensor taken = drawn_of(samples.size(0), Drawn::kSamples);
  const at::Tensor taken_references = drawn_of(reference.size(0), Drawn::kReference);
  // Means over pairs of different images; not finite where all draws are of one image.
  const auto among = [&](const at::Tensor& table, const at::Tensor& drawn, double count) {
    return 2 * (drawn * WeightedKernelSums(table, table, drawn, true, threads)).sum(0) /
           (count * count - drawn.square().sum(0));
  };
  const at::Tensor across =
      (taken * WeightedKernelSums(samples, reference, taken_references, false, threads)).sum(0) /
      (size * references);
  const at::Tensor distances =
      (among(samples, taken, size) - 2 * across + among(reference, taken_references, references))
          .contiguous();
  const double* const values = distances.data_ptr<double>();
  std::vector<double> replicates;
  for (int64_t b = 1; b <= options.replicates; ++b) {
    if (std::isfinite(values[b])) replicates.push_back(values[b]);
  }
  const double infinity = std::numeric_limits<double>::infinity();
  return WithInterval(values[0], replicates, -infinity, infinity);
}

}  // namespace langevin::metrics
