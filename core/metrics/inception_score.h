// The Inception score (Salimans et al. 2016, "Improved Techniques for Training GANs"):
//
//     exp(mean over images of KL(p(y | x) || p(y))),
//
// from 1, where a classifier cannot tell anything from the images, to the number of classes. Over
// all images at once, not as a mean over ten splits.
#ifndef LANGEVIN_CORE_METRICS_INCEPTION_SCORE_H_
#define LANGEVIN_CORE_METRICS_INCEPTION_SCORE_H_

#include "ATen/core/Tensor.h"
#include "core/metrics/bootstrap.h"

namespace langevin::metrics {

// Of a classifier's `logits` (N, classes), fp32 on the CPU, N at least 1. Replicates draw images.
// Any thread.
Estimate InceptionScore(const at::Tensor& logits, const BootstrapOptions& options);

}  // namespace langevin::metrics

#endif  // LANGEVIN_CORE_METRICS_INCEPTION_SCORE_H_
