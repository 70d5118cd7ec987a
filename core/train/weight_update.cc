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

absl::Status UpdateWeights(distributed::Communicator& communicator, const optim::AdamWStep& step,
                           const at::Tensor& gradient, TrainState& state) {
  model::ParameterStore& parameters = state.network->parameters();
  const at::Tensor& weights = parameters.master();
  if (state.sharding == nullptr) {
    optim::ApplyAdamW(step, gradient, weights, state.optimizer);
  } else {
    int64_t place = 0;  // In the sliced buffers, where shards lie side by side.
    for (const Bucket& shard : state.sharding->Shards()) {
      const int64_t size = shard.size();
      optim::OptimizerState part{.exp_avg = state.optimizer.exp_avg.narrow(0, place, size),
                                 .exp_avg_sq = state.optimizer.exp_avg_sq.narrow(0, place, size),
                                 .ema = state.optimizer.ema.narrow(0, place, size)};
      optim::ApplyAdamW(step, gradient.narrow(0, shard.begin, size),
                        weights.narrow(0, shard.begin, size), part);
      place += size;
    }
    LANGEVIN_RETURN_IF_ERROR(state.sharding->AllGather(communicator, weights));
  }
  parameters.RefreshComputeWeights();
  return absl::OkStatus();
}

}  // namespace langevin::train
