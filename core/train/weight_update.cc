#include "core/train/weight_update.h"

#include "ATen/ops/empty.h"
#include "core/base/status_macros.h"

namespace langevin::train {

using distributed::Bucket;
using distributed::FlatSharding;

static_assert(FlatSharding::kBlock % optim::kNormBlock == 0);

absl::StatusOr<double> GradientNorm(distributed::Communicator& communicator,
                                    const TrainState& state, const at::Tensor& gradient) {
  if (state.sharding == nullptr) return optim::NormOfBlocks(optim::BlockSquares(gradient));
  const FlatSharding blocks = state.sharding->Coarser(optim::kNormBlock);
  at::Tensor squares =
      at::empty({gradient.numel() / optim::kNormBlock}, gradient.options().dtype(at::kDouble));
  for (const Bucket& shard : state.sharding->Shards()) {
    squares.narrow(0, shard.begin / optim::kNormBlock, shard.size() / optim::kNormBlock)
        .copy_(optim::BlockSquares(gradient.narrow(0, shard.begin, shard.size())));
  }
  LANGEVIN_RETURN_IF_ERROR(blocks.AllGather(communicator, squares));
  return optim::NormOfBlocks(squares);
}

namespace {

// Brings the new weights of this rank's slices to all ranks as forward and backward use them: half
// the bytes of the fp32 weights, which stay where they are.
absl::Status GatherComputeWeights(distributed::Communicator& communicator,
                                  const TrainState& state) {
  const model::ParameterStore& store = state.network->parameters();
  const int64_t border = store.bf16_begin();
  int64_t place = 0;
  for (const Bucket& shard : state.sharding->Shards()) {
    const at::Tensor& buffer = shard.begin < border ? store.compute_fp32() : store.compute_bf16();
    buffer.narrow(0, shard.begin, shard.size()).copy_(state.weights.narrow(0, place, shard.size()));
    place += shard.size();
  }
  LANGEVIN_RETURN_IF_ERROR(
      state.sharding->Within(0, border).AllGather(communicator, store.compute_fp32()));
  return state.sharding->Within(border, store.trainable_size())
      .AllGather(communicator,
                 store.compute_bf16().narrow(0, border, store.trainable_size() - border));
}

}  // namespace

absl::Status UpdateWeights(distributed::Communicator& communicator, const optim::AdamWStep& step,
                           const at::Tensor& gradient, TrainState& state) {
  model::ParameterStore& parameters = state.network->parameters();
  if (state.sharding == nullptr) {
    optim::ApplyAdamW(step, gradient, state.weights, state.optimizer);
    parameters.RefreshComputeWeights();
    parameters.NormalizeRows();
    return absl::OkStatus();
  }
  int64_t place = 0;  // In the sliced buffers, where shards lie side by side.
  for (const Bucket& shard : state.sharding->Shards()) {
    const int64_t size = shard.size();
    optim::OptimizerState part{.exp_avg = state.optimizer.exp_avg.narrow(0, place, size),
                               .exp_avg_sq = state.optimizer.exp_avg_sq.narrow(0, place, size),
                               .averages = {}};
    for (const at::Tensor& average : state.optimizer.averages) {
      part.averages.push_back(average.narrow(0, place, size));
    }
    const int64_t begin = state.has_sliced_weights() ? place : shard.begin;
    optim::ApplyAdamW(step, gradient.narrow(0, shard.begin, size),
                      state.weights.narrow(0, begin, size), part);
    place += size;
  }
  if (state.has_sliced_weights()) return GatherComputeWeights(communicator, state);
  LANGEVIN_RETURN_IF_ERROR(state.sharding->AllGather(communicator, state.weights));
  parameters.NormalizeRows();
  return absl::OkStatus();
}

}  // namespace langevin::train
