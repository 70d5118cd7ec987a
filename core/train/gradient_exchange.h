// From the gradients of one backward pass on one rank to the sum over all microbatches of all
// ranks.
//
// Joins the model's flat gradient, what autograd reports while backward runs, and the reducer: a
// bucket of the last microbatch leaves while backward computes the next, where the communicator
// says that this pays. Reduced in fp32, or in bf16 (half the bytes) where the config says so.
#ifndef LANGEVIN_CORE_TRAIN_GRADIENT_EXCHANGE_H_
#define LANGEVIN_CORE_TRAIN_GRADIENT_EXCHANGE_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "configs/run_config.h"
#include "core/model/parameter_store.h"
#include "core/train/backward_observer.h"
#include "distributed/communicator.h"
#include "distributed/gradient_reducer.h"

namespace langevin::train {

// The buckets of a model: the first of 1 MiB of fp32 gradients, the others of 25 MiB, as in DDP (Li
// et al. 2020, section 4.1).
std::vector<distributed::Bucket> BucketsOf(const model::ParameterStore& store, int ranks);

// What the store's trainable_multiple must be, so that `ranks` ranks can share it.
int64_t TrainableMultiple(int ranks);

// How the optimizer's state of such a model is sliced over the ranks; null for `zero_stage` 0 (see
// ZeroStageOf). Internal: the store was not made with TrainableMultiple.
absl::StatusOr<std::shared_ptr<const distributed::FlatSharding>> ShardingFor(
    const model::ParameterStore& store, int zero_stage,
    const distributed::Communicator& communicator);

// One thread. Communicator and store must outlive it.
class GradientExchange {
 public:
  // `microbatches` is the number of a step on all ranks together. With a sharding (ShardingFor) the
  // sum comes to each rank's shards only.
  GradientExchange(distributed::Communicator& communicator, model::ParameterStore& store,
                   const configs::DistributedConfig& config, int64_t microbatches,
                   std::shared_ptr<const distributed::FlatSharding> sharding = nullptr);

  // Before and after the backward pass of each microbatch of this rank, in order.
  absl::Status BeforeBackward();
  absl::Status AfterBackward();

  // After the last: the sum over all microbatches of all ranks, fp32, trainable_size() long, valid
  // until the next BeforeBackward. All ranks together. After an error the exchange is of no more
  // use.
  absl::StatusOr<at::Tensor> Finish();

 private:
  // Brings a bucket's gradients to the reducer's buffer and lets it leave.
  void FinishBucket(int64_t index);
  void CopyToWire(int64_t begin, int64_t end);

  model::ParameterStore& store_;
  distributed::GradientReducer reducer_;
  at::Tensor wire_;  // What the reducer sums: the store's gradient, or a bf16 copy.
  BackwardObserver observer_;
  const bool overlaps_;  // Buckets leave while backward goes on, not after it.
  bool is_last_ = false;
  int64_t buckets_left_ = 0;  // How many have left.
  absl::Status status_;       // Of what happened inside backward.
};

}  // namespace langevin::train

#endif  // LANGEVIN_CORE_TRAIN_GRADIENT_EXCHANGE_H_
