#include "core/train/batch_plan.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace langevin::train {
namespace {

std::string DivisorsOf(int64_t number) {
  std::vector<int64_t> divisors;
  for (int64_t i = 1; i <= number; ++i) {
    if (number % i == 0) divisors.push_back(i);
  }
  return absl::StrJoin(divisors, ", ");
}

}  // namespace

absl::StatusOr<BatchPlan> BatchPlan::Create(const configs::TrainConfig& config, int rank,
                                            int ranks) {
  const int64_t microbatches = config.global_batch / config.microbatch;
  if (ranks > microbatches || microbatches % ranks != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        ranks, " ranks cannot share the ", microbatches, " microbatches of a step evenly (",
        "train.global_batch ", config.global_batch, " / train.microbatch ", config.microbatch,
        "); start ", DivisorsOf(microbatches), " ranks, or change train.microbatch"));
  }
  return BatchPlan{.global_batch = config.global_batch,
                   .microbatch = config.microbatch,
                   .microbatches = microbatches,
                   .local_microbatches = microbatches / ranks,
                   .rank = rank,
                   .ranks = ranks};
}

}  // namespace langevin::train
