#include "core/metrics/inception_score.h"

#include <cmath>
#include <vector>

#include "ATen/ATen.h"
#include "core/metrics/blocks.h"

namespace langevin::metrics {

Estimate InceptionScore(const at::Tensor& logits, const BootstrapOptions& options) {
  const SingleThreadedTorch single_threaded;
  const int64_t count = logits.size(0);
  const at::Tensor log_p = at::log_softmax(logits.to(at::kDouble), 1);
  const at::Tensor p = log_p.exp();
  // 0 log 0 is 0; log_p is -infinity where a logit is.
  const at::Tensor negative_entropies =
      at::where(p > 0, p * log_p, at::zeros({}, at::kDouble)).sum(1);
  const auto score = [&](const at::Tensor& taken) {
    const at::Tensor marginal = taken.matmul(p) / static_cast<double>(count);
    const at::Tensor marginal_terms =
        at::where(marginal > 0, marginal * marginal.log(), at::zeros({}, at::kDouble));
    const double mean = taken.dot(negative_entropies).item<double>() / static_cast<double>(count);
    return std::exp(mean - marginal_terms.sum().item<double>());
  };
  std::vector<double> replicates;
  for (int64_t b = 0; b < options.replicates; ++b) {
    replicates.push_back(score(BootstrapCounts(options.seed, b, count)));
  }
  return WithInterval(score(at::ones({count}, at::kDouble)), replicates, 1,
                      static_cast<double>(logits.size(1)));
}

}  // namespace langevin::metrics
