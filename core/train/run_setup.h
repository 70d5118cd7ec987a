// From what the user gave (config, data, a model to begin with) to what is trained.
#ifndef LANGEVIN_CORE_TRAIN_RUN_SETUP_H_
#define LANGEVIN_CORE_TRAIN_RUN_SETUP_H_

#include <optional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "configs/run_config.h"
#include "core/export/model_folder.h"
#include "data/dataset.h"

namespace langevin::train {

// The config with all that was left open filled in: the model from `init` (which may be null), its
// sample_size from the data, the process from the folder's scheduler. InvalidArgument, naming both
// sides, if they do not fit each other: no model, a model that differs from the folder's, channels
// or size other than the data's, class labels that the data do not have.
absl::StatusOr<configs::RunConfig> ResolveConfig(configs::RunConfig config,
                                                 const data::Dataset& dataset,
                                                 const exporting::ModelFolder* init);

// distributed.zero_stage, or what it is where the config does not say. `overlaps`: whether
// exchanges are hidden behind backward; stage 1's last one, of weights, never is.
int ZeroStageOf(const configs::RunConfig& config, int ranks, bool overlaps);

// The number of bytes that weights, gradients, moments and averages take on each of `ranks` ranks.
int64_t StateBytes(int64_t num_parameters, const configs::RunConfig& config, int ranks,
                   int zero_stage);

// InvalidArgument if the run's state alone exceeds the machine's memory.
absl::Status CheckMemory(int64_t num_parameters, const configs::RunConfig& config, int ranks,
                         int ranks_on_host, int zero_stage);

}  // namespace langevin::train

#endif  // LANGEVIN_CORE_TRAIN_RUN_SETUP_H_
