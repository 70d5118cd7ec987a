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

std::vector<Buffer> BuffersOf(const TrainState& state) {
  return {{"model.", state.network->parameters().master()},
          {"ema.", state.optimizer.ema},
          {"exp_avg.", state.optimizer.exp_avg},
          {"exp_avg_sq.", state.optimizer.exp_avg_sq}};
}

}  // namespace

TrainState TrainState::Begin(std::unique_ptr<model::Network> network) {
  const model::ParameterStore& store = network->parameters();
  TrainState state;
  state.optimizer = {.exp_avg = at::zeros_like(store.gradient()),
                     .exp_avg_sq = at::zeros_like(store.gradient()),
                     .ema = store.master().clone()};
  state.network = std::move(network);
  return state;
}

std::vector<model::NamedTensor> TrainState::Tensors() const {
  std::vector<model::NamedTensor> tensors;
  for (const Buffer& buffer : BuffersOf(*this)) {
    for (model::NamedTensor& tensor :
         model::StateDict(network->parameters(), buffer.flat, buffer.prefix)) {
      tensors.push_back(std::move(tensor));
    }
  }
  return tensors;
}

absl::Status TrainState::Load(FileSystem& file_system, const checkpoint::Found& found) {
  model::ParameterStore& store = network->parameters();
  for (const Buffer& buffer : BuffersOf(*this)) {
    const std::vector<model::NamedTensor> tensors =
        model::EmptyStateDict(store, buffer.flat, buffer.prefix);
    LANGEVIN_RETURN_IF_ERROR(
        checkpoint::LoadTensors(file_system, found, model::MutableViewsOf(tensors)));
    model::FillFromStateDict(store, tensors, buffer.flat);
  }
  store.RefreshComputeWeights();
  images_seen = found.metadata.images_seen;
  return absl::OkStatus();
}

}  // namespace langevin::train
