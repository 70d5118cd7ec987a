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

// A buffer as long as `like`, whose sliced part comes from all ranks and the rest from `like`.
absl::StatusOr<at::Tensor> Gather(distributed::Communicator& communicator,
                                  const distributed::FlatSharding& sharding,
                                  const at::Tensor& local, const at::Tensor& like) {
  at::Tensor whole = like.clone();
  sharding.PutLocal(local, whole);
  LANGEVIN_RETURN_IF_ERROR(sharding.AllGather(communicator, whole));
  return whole;
}

}  // namespace

TrainState TrainState::Begin(std::unique_ptr<model::Network> network,
                             std::shared_ptr<const distributed::FlatSharding> sharding) {
  const model::ParameterStore& store = network->parameters();
  TrainState state;
  if (sharding == nullptr) {
    state.optimizer = {.exp_avg = at::zeros_like(store.gradient()),
                       .exp_avg_sq = at::zeros_like(store.gradient()),
                       .ema = store.master().clone()};
  } else {
    const at::Tensor average = sharding->TakeLocal(store.master());
    state.optimizer = {
        .exp_avg = at::zeros_like(average), .exp_avg_sq = at::zeros_like(average), .ema = average};
  }
  state.network = std::move(network);
  state.sharding = std::move(sharding);
  return state;
}

absl::StatusOr<at::Tensor> TrainState::WholeEma(distributed::Communicator& communicator) const {
  if (sharding == nullptr) return optimizer.ema;
  // What is not trained is the same in the average as in the weights.
  return Gather(communicator, *sharding, optimizer.ema, network->parameters().master());
}

absl::StatusOr<std::vector<model::NamedTensor>> TrainState::Tensors(
    distributed::Communicator& communicator) const {
  const model::ParameterStore& store = network->parameters();
  optim::OptimizerState whole = optimizer;
  LANGEVIN_ASSIGN_OR_RETURN(whole.ema, WholeEma(communicator));
  if (sharding != nullptr) {
    for (at::Tensor* moment : {&whole.exp_avg, &whole.exp_avg_sq}) {
      LANGEVIN_ASSIGN_OR_RETURN(*moment,
                                Gather(communicator, *sharding, *moment, store.gradient()));
    }
  }
  std::vector<model::NamedTensor> tensors;
  for (const Buffer& buffer : BuffersOf(store.master(), whole)) {
    for (model::NamedTensor& tensor : model::StateDict(store, buffer.flat, buffer.prefix)) {
      tensors.push_back(std::move(tensor));
    }
  }
  return tensors;
}

absl::Status TrainState::Load(FileSystem& file_system, const checkpoint::Found& found) {
  model::ParameterStore& store = network->parameters();
  optim::OptimizerState whole = optimizer;
  if (sharding != nullptr) {
    whole = {.exp_avg = at::zeros_like(store.gradient()),
             .exp_avg_sq = at::zeros_like(store.gradient()),
             .ema = at::zeros_like(store.master())};
  }
  for (const Buffer& buffer : BuffersOf(store.master(), whole)) {
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
  store.RefreshComputeWeights();
  images_seen = found.metadata.images_seen;
  return absl::OkStatus();
}

}  // namespace langevin::train
