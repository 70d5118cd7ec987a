// All that training changes: weights, their average, the optimizer's moments, and the clock.
//
// Nothing else is carried from step to step. Sample order, noise, augmentation and schedules are
// functions of (config, data, seed, images_seen).
#ifndef LANGEVIN_CORE_TRAIN_TRAIN_STATE_H_
#define LANGEVIN_CORE_TRAIN_TRAIN_STATE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/base/file_system.h"
#include "core/checkpoint/checkpoint.h"
#include "core/model/network.h"
#include "core/model/state_dict.h"
#include "core/optim/adamw.h"

namespace langevin::train {

struct TrainState {
  std::unique_ptr<model::Network> network;
  optim::OptimizerState optimizer;
  int64_t images_seen = 0;

  // The state of a run that begins with the network's present weights: zero moments, the average a
  // copy.
  static TrainState Begin(std::unique_ptr<model::Network> network);

  // Copies for a checkpoint: "model.", "ema.", "exp_avg.", "exp_avg_sq." and the parameter's name.
  std::vector<model::NamedTensor> Tensors() const;

  // Replaces all of it by what the checkpoint holds.
  absl::Status Load(FileSystem& file_system, const checkpoint::Found& found);
};

}  // namespace langevin::train

#endif  // LANGEVIN_CORE_TRAIN_TRAIN_STATE_H_
