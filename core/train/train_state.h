// All that training changes: weights, their averages, the optimizer's moments, the clock, and where
// times are drawn by losses those losses.
//
// Nothing else is carried from step to step. Sample order, noise, augmentation and schedules are
// functions of (config, data, seed, images_seen).
#ifndef LANGEVIN_CORE_TRAIN_TRAIN_STATE_H_
#define LANGEVIN_CORE_TRAIN_TRAIN_STATE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "configs/run_config.h"
#include "core/base/file_system.h"
#include "core/base/tensor_view.h"
#include "core/checkpoint/checkpoint.h"
#include "core/diffusion/loss_history.h"
#include "core/model/network.h"
#include "core/optim/adamw.h"
#include "distributed/communicator.h"
#include "distributed/flat_sharding.h"

namespace langevin::train {

// The tensors of a checkpoint (checkpoint::Save), all by name, type and shape; bytes of those that
// this rank writes, which `storage` owns.
struct CheckpointTensors {
  std::vector<TensorView> views;
  std::vector<at::Tensor> storage;
};

struct TrainState {
  std::unique_ptr<model::Network> network;
  // ZeRO-1: which numbers of the trainable part this rank has optimizer state of; its buffers then
  // hold just those, side by side. Null: each rank has all.
  std::shared_ptr<const distributed::FlatSharding> sharding;
  // The fp32 weights: the network's master(), or, where they are sliced and computation is in bf16,
  // this rank's slices, and the network has no master().
  at::Tensor weights;
  optim::OptimizerState optimizer;
  std::vector<std::string> average_names;  // Of the optimizer's averages: optim::AverageNames.
  int64_t images_seen = 0;
  std::optional<diffusion::LossHistory> loss_history;  // Where times are drawn by it.

  // The state of a run that begins with the network's present weights: zero moments, the averages
  // copies.
  static TrainState Begin(std::unique_ptr<model::Network> network,
                          std::shared_ptr<const distributed::FlatSharding> sharding = nullptr,
                          const configs::EmaConfig& ema = {});

  bool has_sliced_weights() const { return !network->parameters().master().defined(); }

  // The first average of all weights, flat_size() long. All ranks together.
  absl::StatusOr<at::Tensor> WholeEma(distributed::Communicator& communicator) const;

  // What a checkpoint holds: "model.", "ema." (or the names of the averages), "exp_avg.",
  // "exp_avg_sq." and the parameter's name, whatever the sharding, with copies of those that this
  // rank writes; and a view of the losses. A rank that keeps slices needs memory for one whole
  // buffer meanwhile. All ranks together.
  absl::StatusOr<CheckpointTensors> Tensors(distributed::Communicator& communicator);

  // The averages alone, as a checkpoint has them, for rank 0 to write. All ranks together.
  absl::StatusOr<CheckpointTensors> AverageTensors(distributed::Communicator& communicator);

  // Replaces all of it by what the checkpoint holds, written by any number of ranks. It has the
  // parts that this state has.
  absl::Status Load(FileSystem& file_system, const checkpoint::Found& found);
};

}  // namespace langevin::train

#endif  // LANGEVIN_CORE_TRAIN_TRAIN_STATE_H_
