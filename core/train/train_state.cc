#include "core/train/train_state.h"

#include <utility>

#include "ATen/ATen.h"
#include "core/base/status_macros.h"

namespace langevin::train {
namespace {

struct Buffer {
  const char* prefix;
  at::Tensor flat;
};

std::vector<Buffer> BuffersOf(const at::Tensor& weights, const optim::OptimizerState& whole) {
  return {{"model.", weights},
          {"ema.", whole.ema},
          {"exp_avg.", whole.exp_avg},
          {"exp_avg_sq.", whole.exp_avg_sq}};
}

// The trainable part of a sliced buffer, from all ranks, and behind it the weights that are not
// trained, if the buffer has them.
absl::StatusOr<at::Tensor> Gather(distributed::Communicator& communicator, const TrainState& state,
                                  const at::Tensor& local, bool with_frozen) {
  const model::ParameterStore& store = state.network->parameters();
  at::Tensor whole =
      at::zeros({with_frozen ? store.flat_size() : store.trainable_size()}, local.options());
  state.sharding->PutLocal(local, whole);
  if (with_frozen)
    whole.narrow(0, store.trainable_size(), store.frozen().numel()).copy_(store.frozen());
  LANGEVIN_RETURN_IF_ERROR(state.sharding->AllGather(communicator, whole));
  return whole;
}

}  // namespace

TrainState TrainState::Begin(std::unique_ptr<model::Network> network,
                             std::shared_ptr<const distributed::FlatSharding> sharding) {
  model::ParameterStore& store = network->parameters();
  TrainState state;
  if (sharding == nullptr) {
    state.weights = store.master();
    state.optimizer = {.exp_avg = at::zeros_like(store.gradient()),
                       .exp_avg_sq = at::zeros_like(store.gradient()),
                       .ema = store.master().clone()};
  } else {
    const at::Tensor average = sharding->TakeLocal(store.master());
    state.weights = store.master();
    if (store.bf16_begin() < store.trainable_size()) {
      state.weights = average.clone();
      store.ReleaseMaster();
    }
    state.optimizer = {
        .exp_avg = at::zeros_like(average), .exp_avg_sq = at::zeros_like(average), .ema = average};
  }
  state.network = std::move(network);
  state.sharding = std::move(sharding);
  return state;
}

absl::StatusOr<at::Tensor> TrainState::WholeEma(distributed::Communicator& communicator) const {
  if (sharding == nullptr) return optimizer.ema;
  return Gather(communicator, *this, optimizer.ema, /*with_frozen=*/true);
}

absl::StatusOr<std::vector<model::NamedTensor>> TrainState::Tensors(
    distributed::Communicator& communicator) const {
  optim::OptimizerState whole = optimizer;
  at::Tensor all_weights = weights;
  LANGEVIN_ASSIGN_OR_RETURN(whole.ema, WholeEma(communicator));
  if (has_sliced_weights()) {
    LANGEVIN_ASSIGN_OR_RETURN(all_weights,
                              Gather(communicator, *this, weights, /*with_frozen=*/true));
  }
  if (sharding != nullptr) {
    for (at::Tensor* moment : {&whole.exp_avg, &whole.exp_avg_sq}) {
      LANGEVIN_ASSIGN_OR_RETURN(*moment,
                                Gather(communicator, *this, *moment, /*with_frozen=*/false));
    }
  }
  const model::ParameterStore& store = network->parameters();
  std::vector<model::NamedTensor> tensors;
  for (const Buffer& buffer : BuffersOf(all_weights, whole)) {
    for (model::NamedTensor& tensor : model::StateDict(store, buffer.flat, buffer.prefix)) {
      tensors.push_back(std::move(tensor));
    }
  }
  return tensors;
}

absl::Status TrainState::Load(FileSystem& file_system, const checkpoint::Found& found) {
  model::ParameterStore& store = network->parameters();
  optim::OptimizerState whole = optimizer;
  at::Tensor all_weights = weights;
  if (has_sliced_weights()) all_weights = at::zeros({store.flat_size()}, weights.options());
  if (sharding != nullptr) {
    whole = {.exp_avg = at::zeros_like(store.gradient()),
             .exp_avg_sq = at::zeros_like(store.gradient()),
             .ema = at::zeros_like(all_weights)};
  }
  for (const Buffer& buffer : BuffersOf(all_weights, whole)) {
    const std::vector<model::NamedTensor> tensors =
        model::EmptyStateDict(store, buffer.flat, buffer.prefix);
    LANGEVIN_RETURN_IF_ERROR(
        checkpoint::LoadTensors(file_system, found, model::MutableViewsOf(tensors)));
    model::FillFromStateDict(store, tensors, buffer.flat);
  }
  if (sharding != nullptr) {
    optimizer = {.exp_avg = sharding->TakeLocal(whole.exp_avg),
                 .exp_avg_sq = sharding->TakeLocal(whole.exp_avg_sq),
                 .ema = sharding->TakeLocal(whole.ema)};
  }
  store.SetComputeWeights(all_weights);
  if (has_sliced_weights()) weights = sharding->TakeLocal(all_weights);
  images_seen = found.metadata.images_seen;
  return absl::OkStatus();
}

}  // namespace langevin::train
