// Who computes what in a step: the global batch cut into microbatches, and those shared by ranks.
//
// Positions of the sample stream are the whole truth: step t covers [t * G, (t + 1) * G),
// microbatch m of it B consecutive positions, and rank r of R the microbatches [r * n / R, (r + 1)
// * n / R). Ranks and accumulation only regroup.
#ifndef LANGEVIN_CORE_TRAIN_BATCH_PLAN_H_
#define LANGEVIN_CORE_TRAIN_BATCH_PLAN_H_

#include <cstdint>

#include "absl/status/statusor.h"
#include "configs/run_config.h"

namespace langevin::train {

struct BatchPlan {
  int64_t global_batch = 0;
  int64_t microbatch = 0;
  int64_t microbatches = 0;  // In a step, over all ranks.
  int64_t local_microbatches = 0;
  int rank = 0;
  int ranks = 1;

  // InvalidArgument if the ranks cannot share the microbatches evenly: says which numbers of ranks
  // can.
  static absl::StatusOr<BatchPlan> Create(const configs::TrainConfig& config, int rank, int ranks);

  // First position of microbatch k that this rank computes, counting from `images_seen` on through
  // all following steps.
  int64_t FirstPosition(int64_t images_seen, int64_t k) const {
    const int64_t step = k / local_microbatches;
    const int64_t microbatch_in_step = rank * local_microbatches + k % local_microbatches;
    return images_seen + step * global_batch + microbatch_in_step * microbatch;
  }
};

}  // namespace langevin::train

#endif  // LANGEVIN_CORE_TRAIN_BATCH_PLAN_H_
