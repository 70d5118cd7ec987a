#include "core/train/run_plan.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "ATen/ATen.h"
#include "core/base/status_macros.h"
#include "core/optim/adamw.h"
#include "core/train/gradient_exchange.h"
#include "distributed/flat_sharding.h"
#include "distributed/gradient_reducer.h"
#include "distributed/reduction_tree.h"

namespace langevin::train {
namespace {

using distributed::CollectiveKind;
using distributed::RecordedCollective;
using distributed::TreeNode;

int64_t SliceOf(int64_t numbers, int64_t ranks) { return (numbers + ranks - 1) / ranks; }

TreeNode RunOf(const BatchPlan& batch, int64_t rank) {
  return {rank * batch.local_microbatches, (rank + 1) * batch.local_microbatches};
}

// Sums of whole nodes that wait for the rest of a run, at most: each is a gradient of its own.
int64_t WaitingSums(const configs::DistributedConfig& config, const BatchPlan& batch) {
  if (batch.local_microbatches == 1) return 0;
  if (config.reduction == configs::Reduction::kFast) return 1;
  size_t most = 0;
  for (int64_t rank = 0; rank < batch.ranks; ++rank) {
    const TreeNode run = RunOf(batch, rank);
    for (int64_t done = 1; done < run.size(); ++done) {
      most = std::max(
          most,
          distributed::CoveringNodes(batch.microbatches, {run.begin, run.begin + done}).size());
    }
  }
  return static_cast<int64_t>(most);
}

// Nodes of the tree that one rank sends at most.
int64_t MostParts(const BatchPlan& batch) {
  size_t most = 1;
  for (int64_t rank = 0; rank < batch.ranks; ++rank) {
    most =
        std::max(most, distributed::CoveringNodes(batch.microbatches, RunOf(batch, rank)).size());
  }
  return static_cast<int64_t>(most);
}

double Seconds(const distributed::Network& network, const std::vector<RecordedCollective>& entries,
               int ranks) {
  double seconds = 0;
  for (const RecordedCollective& entry : entries) {
    seconds += static_cast<double>(entry.count) *
               distributed::CollectiveSeconds(network, entry.kind, entry.bytes, ranks);
  }
  return seconds;
}

}  // namespace

std::vector<MemoryPart> MemoryOfRank(const model::ParameterStore& store,
                                     const configs::DistributedConfig& config,
                                     const BatchPlan& batch, int64_t averages, int64_t piece) {
  const bool bf16 = store.compute_bf16().defined();
  const bool sends_bf16 = config.gradient_precision == configs::Precision::kBf16;
  const int64_t owners = config.zero_stage.value_or(0) > 0 ? batch.ranks : 1;
  const int64_t weights = store.flat_size();
  const int64_t gradients = store.trainable_size();
  const int64_t sent_bytes = sends_bf16 ? 2 : 4;
  std::vector<MemoryPart> parts;
  // In fp32 they are what forward and backward use.
  parts.push_back({"weights fp32", 4 * (bf16 ? SliceOf(weights, owners) : weights)});
  if (bf16) {
    parts.push_back({"weights bf16", 2 * weights});
    parts.push_back({"norms fp32", 4 * store.bf16_begin()});
  }
  parts.push_back({"gradients fp32", 4 * gradients});
  if (bf16) parts.push_back({"gradients bf16", 2 * gradients});
  if (sends_bf16) parts.push_back({"gradients to send", 2 * gradients});
  parts.push_back({"moments", 8 * SliceOf(gradients, owners)});
  parts.push_back({"average", 4 * averages * SliceOf(weights, owners)});
  parts.push_back({"partial sums", sent_bytes * gradients * WaitingSums(config, batch)});
  if (config.reduction == configs::Reduction::kOrdered && batch.ranks > 1) {
    parts.push_back({"exchange", MostParts(batch) * sent_bytes * std::min(piece, gradients)});
  }
  return parts;
}

int64_t Traffic::BytesSent(int ranks) const {
  double sent = 0;
  const auto add = [&](const std::vector<RecordedCollective>& entries) {
    for (const RecordedCollective& entry : entries) {
      sent += static_cast<double>(entry.bytes * entry.count) *
              distributed::LeavingShare(entry.kind, ranks);
    }
  };
  for (const BucketTraffic& bucket : buckets) add(bucket.collectives);
  add(after_update);
  return static_cast<int64_t>(sent);
}

int64_t Traffic::CollectiveCount() const {
  int64_t count = 0;
  for (const BucketTraffic& bucket : buckets) {
    for (const RecordedCollective& entry : bucket.collectives) count += entry.count;
  }
  for (const RecordedCollective& entry : after_update) count += entry.count;
  return count;
}

absl::StatusOr<Traffic> TrafficOfStep(const model::ParameterStore& store,
                                      const configs::DistributedConfig& config,
                                      const BatchPlan& batch, at::DeviceType device) {
  distributed::FakeCommunicator communicator(/*rank=*/0, batch.ranks);
  const std::vector<distributed::Bucket> buckets = BucketsOf(store, batch.ranks);
  std::shared_ptr<const distributed::FlatSharding> sharding;
  if (config.zero_stage.value_or(0) > 0) {
    sharding = std::make_shared<const distributed::FlatSharding>(
        buckets, batch.ranks, communicator.rank(), distributed::PieceElements(device));
  }
  const at::TensorOptions options = at::TensorOptions().device(device);
  const at::ScalarType sent =
      config.gradient_precision == configs::Precision::kBf16 ? at::kBFloat16 : at::kFloat;
  const at::Tensor gradient = at::zeros({store.trainable_size()}, options.dtype(sent));
  distributed::GradientReducer reducer(communicator,
                                       config.reduction == configs::Reduction::kFast
                                           ? distributed::Reduction::kFast
                                           : distributed::Reduction::kOrdered,
                                       batch.microbatches, buckets, sharding);
  while (!reducer.next_is_last()) LANGEVIN_RETURN_IF_ERROR(reducer.Accumulate(gradient));
  LANGEVIN_RETURN_IF_ERROR(reducer.BeginLast(gradient));

  Traffic traffic;
  for (const distributed::Bucket& bucket : buckets) {
    communicator.ClearRecord();
    LANGEVIN_RETURN_IF_ERROR(reducer.FinishNextBucket());
    traffic.buckets.push_back({.bytes = static_cast<int64_t>(at::elementSize(sent)) * bucket.size(),
                               .collectives = communicator.record().entries()});
  }
  communicator.ClearRecord();
  LANGEVIN_RETURN_IF_ERROR(reducer.Finish().status());
  if (sharding != nullptr) {
    LANGEVIN_RETURN_IF_ERROR(
        sharding->Coarser(optim::kNormBlock)
            .AllGather(communicator, at::zeros({gradient.numel() / optim::kNormBlock},
                                               options.dtype(at::kDouble))));
    const int64_t border = store.bf16_begin();
    const int64_t rest = store.trainable_size() - border;
    LANGEVIN_RETURN_IF_ERROR(sharding->Within(0, border).AllGather(
        communicator, at::zeros({border}, options.dtype(at::kFloat))));
    LANGEVIN_RETURN_IF_ERROR(
        sharding->Within(border, store.trainable_size())
            .AllGather(communicator, at::zeros({rest}, options.dtype(at::kBFloat16))));
  }
  traffic.after_update = communicator.record().entries();
  return traffic;
}

StepTime PredictStep(const ComputeTimes& compute, int zero_stage, const BatchPlan& batch,
                     const Traffic& traffic, const distributed::Network& network) {
  const double backward_s = compute.microbatch_s * 2 / 3;
  const double passes_s = static_cast<double>(batch.local_microbatches) * compute.microbatch_s;
  const double optimizer_s = compute.optimizer_s / (zero_stage > 0 ? batch.ranks : 1);

  int64_t total_bytes = 0;
  for (const BucketTraffic& bucket : traffic.buckets) total_bytes += bucket.bytes;
  StepTime time;
  double end = 0;  // Of the last bucket's exchange, from the step's beginning.
  int64_t bytes = 0;
  for (const BucketTraffic& bucket : traffic.buckets) {
    const double seconds = Seconds(network, bucket.collectives, batch.ranks);
    time.communication_s += seconds;
    bytes += bucket.bytes;
    const double ready = passes_s - backward_s +
                         backward_s * static_cast<double>(bytes) / static_cast<double>(total_bytes);
    end = std::max(end, ready) + seconds;
  }
  const double gathers_s = Seconds(network, traffic.after_update, batch.ranks);
  time.exposed_s =
      (network.uses_compute_cores ? time.communication_s : std::max(0.0, end - passes_s)) +
      gathers_s;
  time.communication_s += gathers_s;
  time.compute_s = passes_s + optimizer_s;
  time.step_s = time.compute_s + time.exposed_s;
  if (time.step_s > 0) time.efficiency = (passes_s + compute.optimizer_s) / time.step_s;
  return time;
}

}  // namespace langevin::train
