// Whether a model gives its training images back.
//
// Each sample's distance to its nearest training image is held against the same distance of
// held-out images, which no model has seen: where the two distributions agree, samples are as new
// as held-out images are. As a number: the share of samples nearer to a training image than the
// nearest 1 % of held-out images are. 0.01 is what a model that copies nothing has; it is well
// above that where some samples are copies.
//
// Features are (N, D) fp32 on the CPU. Any thread; results do not depend on `threads`.
#ifndef LANGEVIN_CORE_METRICS_MEMORISATION_H_
#define LANGEVIN_CORE_METRICS_MEMORISATION_H_

#include <cstdint>
#include <vector>

#include "ATen/core/Tensor.h"
#include "core/metrics/bootstrap.h"
#include "core/metrics/neighbours.h"

namespace langevin::metrics {

constexpr double kMemorisationPercentile = 1;

struct Memorisation {
  Nearest of_samples;
  Nearest of_held_out;
  double threshold = 0;  // The held-out distances' 1st percentile.
  Estimate share;        // Of samples nearer than that. Draws samples.
};

// Requires at least one row in each.
Memorisation ComputeMemorisation(const at::Tensor& samples, const at::Tensor& held_out,
                                 const at::Tensor& training, const BootstrapOptions& options,
                                 int threads);

// The percentile of `values` (at least one), by linear interpolation between the two nearest ranks
// (numpy.percentile's default).
double Percentile(std::vector<double> values, double percent);

}  // namespace langevin::metrics

#endif  // LANGEVIN_CORE_METRICS_MEMORISATION_H_
