// One step of the optimizer on all ranks: each updates what it owns, and all have the new weights.
#ifndef LANGEVIN_CORE_TRAIN_WEIGHT_UPDATE_H_
#define LANGEVIN_CORE_TRAIN_WEIGHT_UPDATE_H_

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/optim/adamw.h"
#include "core/train/train_state.h"
#include "distributed/communicator.h"

namespace langevin::train {

// The norm of the gradient, the same bits on all ranks and for every number of them. `gradient`:
// what GradientExchange::Finish gave; where the state is sliced, only this rank's shards of it
// count. All ranks together.
absl::StatusOr<double> GradientNorm(distributed::Communicator& communicator,
                                    const TrainState& state, const at::Tensor& gradient);

// Updates weights, moments and averages, and the weights that forward uses. All ranks together.
absl::Status UpdateWeights(distributed::Communicator& communicator, const optim::AdamWStep& step,
                           const at::Tensor& gradient, TrainState& state);

}  // namespace langevin::train

#endif  // LANGEVIN_CORE_TRAIN_WEIGHT_UPDATE_H_
