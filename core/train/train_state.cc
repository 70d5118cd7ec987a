#include "core/train/train_state.h"

#include <utility>

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/model/flat_buffer.h"
#include "core/model/state_dict.h"
#include "core/optim/schedule.h"

namespace langevin::train {
namespace {

// One of the flat buffers that make up a state.
struct Buffer {
  std::string prefix;  // Of the names in checkpoints.
  at::Tensor* kept;    // As this rank has it: whole, or its slices.
  bool is_sliced;
  int64_t flat_size;  // Of the whole.
};

std::vector<Buffer> BuffersOf(TrainState& state) {
  const model::ParameterStore& store = state.network->parameters();
  optim::OptimizerState& optimizer = state.optimizer;
  const bool sliced = state.sharding != nullptr;
  std::vector<Buffer> buffers = {
      {"model.", &state.weights, state.has_sliced_weights(), store.flat_size()}};
  for (size_t i = 0; i < optimizer.averages.size(); ++i) {
    buffers.push_back({absl::StrCat(state.average_names[i], "."), &optimizer.averages[i], sliced,
                       store.flat_size()});
  }
  buffers.push_back({"exp_avg.", &optimizer.exp_avg, sliced, store.trainable_size()});
  buffers.push_back({"exp_avg_sq.", &optimizer.exp_avg_sq, sliced, store.trainable_size()});
  return buffers;
}

// The trainable part of a sliced buffer, from all ranks, and behind it the weights that are not
// trained, if the buffer has them.
absl::StatusOr<at::Tensor> Gather(distributed::Communicator& communicator, const TrainState& state,
                                  const at::Tensor& local, int64_t flat_size) {
  const model::ParameterStore& store = state.network->parameters();
  at::Tensor whole = at::zeros({flat_size}, local.options());
  state.sharding->PutLocal(local, whole);
  if (flat_size > store.trainable_size()) {
    whole.narrow(0, store.trainable_size(), store.frozen().numel()).copy_(store.frozen());
  }
  LANGEVIN_RETURN_IF_ERROR(state.sharding->AllGather(communicator, whole));
  return whole;
}

std::vector<TensorView> Describe(const TrainState& state, const std::vector<Buffer>& buffers) {
  std::vector<TensorView> views;
  for (const Buffer& buffer : buffers) {
    for (TensorView& view :
         model::DescribeStateDict(state.network->parameters(), buffer.flat_size, buffer.prefix)) {
      views.push_back(std::move(view));
    }
  }
  return views;
}

// The buffers' tensors, with copies of those whose owner is this rank.
absl::StatusOr<CheckpointTensors> CopyOut(distributed::Communicator& communicator,
                                          const TrainState& state,
                                          const std::vector<Buffer>& buffers,
                                          const std::vector<int>& owners) {
  CheckpointTensors tensors{.views = Describe(state, buffers), .storage = {}};
  size_t i = 0;
  for (const Buffer& buffer : buffers) {
    at::Tensor whole = *buffer.kept;
    if (buffer.is_sliced) {
      LANGEVIN_ASSIGN_OR_RETURN(whole, Gather(communicator, state, whole, buffer.flat_size));
    }
    for (const model::Parameter& parameter : state.network->parameters().parameters()) {
      if (parameter.offset >= buffer.flat_size) continue;  // Not in this buffer.
      TensorView& view = tensors.views[i];
      if (owners[i++] != communicator.rank()) continue;
      at::Tensor copy = at::empty(parameter.shape, at::kFloat);
      copy.copy_(model::ParameterStore::ViewOf(whole, parameter));
      view.bytes = {static_cast<const std::byte*>(copy.data_ptr()), copy.nbytes()};
      tensors.storage.push_back(std::move(copy));
    }
  }
  return tensors;
}

}  // namespace

TrainState TrainState::Begin(std::unique_ptr<model::Network> network,
                             std::shared_ptr<const distributed::FlatSharding> sharding,
                             const configs::EmaConfig& ema) {
  model::ParameterStore& store = network->parameters();
  TrainState state;
  if (sharding == nullptr) {
    state.weights = store.master();
    const at::Tensor& gradient = store.gradient();
    state.optimizer = {.exp_avg = model::ZeroFlatBuffer(gradient.numel(), gradient.options()),
                       .exp_avg_sq = model::ZeroFlatBuffer(gradient.numel(), gradient.options()),
                       .averages = {model::CloneFlatBuffer(store.master())}};
  } else {
    const at::Tensor average = model::CloneFlatBuffer(sharding->TakeLocal(store.master()));
    state.weights = store.master();
    if (store.bf16_begin() < store.trainable_size()) {
      state.weights = model::CloneFlatBuffer(average);
      store.ReleaseMaster();
    }
    state.optimizer = {.exp_avg = model::ZeroFlatBuffer(average.numel(), average.options()),
                       .exp_avg_sq = model::ZeroFlatBuffer(average.numel(), average.options()),
                       .averages = {average}};
  }
  state.average_names = optim::AverageNames(ema);
  std::vector<at::Tensor>& averages = state.optimizer.averages;
  while (averages.size() < state.average_names.size()) {
    averages.push_back(model::CloneFlatBuffer(averages.front()));
  }
  state.network = std::move(network);
  state.sharding = std::move(sharding);
  return state;
}

absl::StatusOr<at::Tensor> TrainState::WholeEma(distributed::Communicator& communicator) const {
  const at::Tensor& average = optimizer.averages.front();
  if (sharding == nullptr) return average;
  return Gather(communicator, *this, average, network->parameters().flat_size());
}

absl::StatusOr<CheckpointTensors> TrainState::Tensors(distributed::Communicator& communicator) {
  const std::vector<Buffer> buffers = BuffersOf(*this);
  std::vector<TensorView> views = Describe(*this, buffers);
  if (loss_history.has_value()) views.push_back(loss_history->View());
  LANGEVIN_ASSIGN_OR_RETURN(
      CheckpointTensors tensors,
      CopyOut(communicator, *this, buffers, checkpoint::DivideTensors(views, communicator.size())));
  if (loss_history.has_value()) tensors.views.push_back(loss_history->View());
  return tensors;
}

absl::StatusOr<CheckpointTensors> TrainState::AverageTensors(
    distributed::Communicator& communicator) {
  std::vector<Buffer> buffers = BuffersOf(*this);
  buffers = {buffers.begin() + 1,
             buffers.begin() + 1 + static_cast<std::ptrdiff_t>(optimizer.averages.size())};
  return CopyOut(communicator, *this, buffers,
                 std::vector<int>(Describe(*this, buffers).size(), 0));
}

absl::Status TrainState::Load(FileSystem& file_system, const checkpoint::Found& found) {
  model::ParameterStore& store = network->parameters();
  // One buffer after the other: a rank that keeps slices has one whole buffer at a time.
  for (const Buffer& buffer : BuffersOf(*this)) {
    at::Tensor whole = *buffer.kept;
    if (buffer.is_sliced) whole = at::zeros({buffer.flat_size}, whole.options());
    const std::vector<model::NamedTensor> tensors =
        model::EmptyStateDict(store, whole, buffer.prefix);
    LANGEVIN_RETURN_IF_ERROR(
        checkpoint::LoadTensors(file_system, found, model::MutableViewsOf(tensors)));
    model::FillFromStateDict(store, tensors, whole);
    if (buffer.kept == &weights) store.SetComputeWeights(whole);
    if (buffer.is_sliced) *buffer.kept = sharding->TakeLocal(whole);
  }
  if (loss_history.has_value()) {
    LANGEVIN_RETURN_IF_ERROR(
        checkpoint::LoadTensors(file_system, found, {loss_history->MutableView()}));
  }
  images_seen = found.metadata.images_seen;
  return absl::OkStatus();
}

}  // namespace langevin::train
