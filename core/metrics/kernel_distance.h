// The kernel distance KID (Binkowski et al. 2018, "Demystifying MMD GANs"): the unbiased estimate
// of the squared maximum mean discrepancy with k(x, y) = (x . y / D + 1)^3,
//
//     mean k(x_i, x_j), i != j  +  mean k(y_i, y_j), i != j  -  2 mean k(x_i, y_j)
//
// over all pairs (the paper averages it over subsets of 1000, which has the same expectation and a
// larger variance). It may be below 0 where the sets are alike.
//
// Features are (N, D) fp32 on the CPU; sums are in double precision. Memory: 256 x 1024 values of
// the kernel's matrix a thread, and a count for each image and replicate. Any thread.
#ifndef LANGEVIN_CORE_METRICS_KERNEL_DISTANCE_H_
#define LANGEVIN_CORE_METRICS_KERNEL_DISTANCE_H_

#include "ATen/core/Tensor.h"
#include "core/metrics/bootstrap.h"

namespace langevin::metrics {

// The distance of `samples` to `reference`, at least 2 rows each. Replicates draw both, since
// near 0 the reference's chance is as large as the samples'; pairs of one image with itself stay
// left out, so that they are without bias too.
Estimate KernelDistance(const at::Tensor& samples, const at::Tensor& reference,
                        const BootstrapOptions& options, int threads);

}  // namespace langevin::metrics

#endif  // LANGEVIN_CORE_METRICS_KERNEL_DISTANCE_H_
