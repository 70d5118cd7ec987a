// MODEL on the command line: a run, one of its checkpoints, or a diffusers folder, opened for use.
#ifndef LANGEVIN_CORE_EXPORT_MODEL_SOURCE_H_
#define LANGEVIN_CORE_EXPORT_MODEL_SOURCE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "core/base/file_system.h"
#include "core/diffusion/scheduler_config.h"
#include "core/export/model_folder.h"
#include "core/model/network.h"

namespace langevin::exporting {

// kEma: the average; of a run that keeps several (ema.power_std), the first.
enum class Weights { kEma, kRaw };

struct Model {
  std::unique_ptr<model::Network> network;  // fp32 on `device`, weights loaded.
  configs::ModelConfig config;
  diffusion::SchedulerConfig scheduler;
  Facts facts;         // As langevin.json has them.
  std::string origin;  // The checkpoint or folder the weights came from.
};

// Opens a model. A diffusers folder has one set of weights: `weights` is then not used. Errors are
// those of checkpoint::FindForReading, ReadModelFolder and LoadWeights; NotFound if `path` is none
// of the three.
absl::StatusOr<Model> OpenModel(FileSystem& file_system, const std::string& path, Weights weights,
                                at::Device device);

// What the model's network means: its scheduler's formulation, and a learned variance where the
// network has twice the channels. InvalidArgument: other channels, or a scheduler that cannot be.
absl::StatusOr<diffusion::Formulation> FormulationOf(const Model& model);

}  // namespace langevin::exporting

#endif  // LANGEVIN_CORE_EXPORT_MODEL_SOURCE_H_
