// What a run takes on any number of ranks: memory, exchanges, and time. For `train --dry_run
// --ranks N`, which may ask for more ranks than there are anywhere near.
//
// Arithmetic over sizes, but for what the ranks exchange: that is asked of the gradient reducer
// itself, with a communicator that only writes it down. Pure functions; any thread.
#ifndef LANGEVIN_CORE_TRAIN_RUN_PLAN_H_
#define LANGEVIN_CORE_TRAIN_RUN_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "configs/run_config.h"
#include "core/model/parameter_store.h"
#include "core/train/batch_plan.h"
#include "distributed/fake_communicator.h"
#include "distributed/network_model.h"

namespace langevin::train {

struct MemoryPart {
  std::string name;
  int64_t bytes = 0;
};

// What a rank keeps from step to step or needs in every step, without activations. ZeRO-1 cuts
// moments, averages and, in bf16 runs, the fp32 weights into one slice a rank. `store`'s
// trainable_multiple is TrainableMultiple of the ranks, here and below; its device may be meta,
// which takes no memory. `averages` of the weights are kept; `piece` is how many numbers the
// reducer exchanges at once.
std::vector<MemoryPart> MemoryOfRank(const model::ParameterStore& store,
                                     const configs::DistributedConfig& config,
                                     const BatchPlan& batch, int64_t averages, int64_t piece);

// What one bucket makes the ranks exchange.
struct BucketTraffic {
  int64_t bytes = 0;  // Of its gradient.
  std::vector<distributed::RecordedCollective> collectives;
};

struct Traffic {
  std::vector<BucketTraffic> buckets;
  // ZeRO-1: the norm's parts, and the updated weights in place of summed gradients.
  std::vector<distributed::RecordedCollective> after_update;

  // Bytes that leave each rank in a step where every rank sends what it must and no more.
  int64_t BytesSent(int ranks) const;
  int64_t CollectiveCount() const;
};

// All exchanges of gradients and weights in a step, as the reducer and the slices of the optimizer
// ask for them. What they exchange at once depends on where gradients are: `device` is kCPU, or
// kMeta, which stands for GPUs.
absl::StatusOr<Traffic> TrafficOfStep(const model::ParameterStore& store,
                                      const configs::DistributedConfig& config,
                                      const BatchPlan& batch, at::DeviceType device);

struct ComputeTimes {
  double microbatch_s = 0;  // Forward and backward of one.
  double optimizer_s = 0;   // The update of all weights.
};

struct StepTime {
  double compute_s = 0;
  double communication_s = 0;  // All exchanges one after the other.
  double exposed_s = 0;        // What of it computation does not hide.
  double step_s = 0;
  double efficiency = 1;  // compute_s / step_s, with stage 0's optimizer.
};

// A bucket may leave when the last backward pass, two thirds of a microbatch's time, has come to
// it, and the one before it has left; the optimizer waits for all. Loader, logging, checkpoints,
// and ranks that are slower than others are left out.
StepTime PredictStep(const ComputeTimes& compute, int zero_stage, const BatchPlan& batch,
                     const Traffic& traffic, const distributed::Network& network);

}  // namespace langevin::train

#endif  // LANGEVIN_CORE_TRAIN_RUN_PLAN_H_
