// A model as a diffusers folder: read to fine-tune, sample or look at; written by `langevin
// export`.
//
//     DIR/model_index.json  PART/config.json  PART/diffusion_pytorch_model.safetensors
//     DIR/scheduler/scheduler_config.json  langevin.json  parity.safetensors
//
// PART is "unet", or "transformer" for a DiT, as in diffusers' pipelines. What diffusers has no
// class for is written the same way, with a class name of Langevin's own, for Langevin alone.
//
// Reading also takes a bare model folder (config.json beside the weights). Folders come from
// outside: only regular files are read, and every name, type, shape and size is checked.
#ifndef LANGEVIN_CORE_EXPORT_MODEL_FOLDER_H_
#define LANGEVIN_CORE_EXPORT_MODEL_FOLDER_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "configs/model_config.h"
#include "core/base/file_system.h"
#include "core/diffusion/scheduler_config.h"
#include "core/model/network.h"

namespace langevin::exporting {

// What langevin.json says of an exported model, for people and programs: name and value.
using Facts = std::vector<std::pair<std::string, std::string>>;

// The fact that says what ModelConfig::label_dropout was.
inline constexpr char kLabelDropoutFact[] = "label_dropout";
// The one that is there where ModelConfig::self_conditioning was true.
inline constexpr char kSelfConditioningFact[] = "self_conditioning";

// A folder whose descriptions were read and whose weights file was found, but not yet read.
struct ModelFolder {
  std::string path;
  std::string weights_path;
  configs::ModelConfig model;
  diffusion::SchedulerConfig scheduler;
  bool has_scheduler = false;
  Facts facts;
};

// NotFound: no such folder, or no description or weights in it; InvalidArgument: a description that
// is wrong or of a model that this program does not have.
absl::StatusOr<ModelFolder> ReadModelFolder(FileSystem& file_system, const std::string& path);

// The tensors of one part of a network ("down_blocks.0", "conv_in"), as they were found in a file.
struct MatchedPart {
  std::string name;
  int64_t tensors = 0;
  int64_t numbers = 0;
};

// Fills the weights of a network that was made for folder.model; float16 and bfloat16 are
// converted, and the attention names of old diffusers versions understood. What matters in training
// alone stays as it is where the folder has none. DataLoss, listing what does not fit: damaged
// file, missing or extra tensors, other shapes. Returns the number of tensors that matched.
absl::StatusOr<std::vector<MatchedPart>> LoadWeights(FileSystem& file_system,
                                                     const ModelFolder& folder,
                                                     model::Network& network);

struct ExportRequest {
  configs::ModelConfig model;
  diffusion::SchedulerConfig scheduler;
  at::Tensor weights;  // Flat buffer of `network`.
  Facts facts;
};

// Writes the folder under a temporary name, reads it back, checks that it gives what `network`
// gives with the weights, to the bit, and renames it to `path`. A folder at `path` that an earlier
// export wrote is replaced; anything else there is AlreadyExists.
absl::Status WriteModelFolder(FileSystem& file_system, const std::string& path,
                              const ExportRequest& request, model::Network& network);

}  // namespace langevin::exporting

#endif  // LANGEVIN_CORE_EXPORT_MODEL_FOLDER_H_
