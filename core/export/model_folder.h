// A model as a diffusers folder: read to fine-tune, sample or look at; written by `langevin
// export`.
//
//     DIR/model_index.json  unet/config.json  unet/diffusion_pytorch_model.safetensors
//     DIR/scheduler/scheduler_config.json  langevin.json  parity.safetensors
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
#include "configs/unet_config.h"
#include "core/base/file_system.h"
#include "core/diffusion/scheduler_config.h"
#include "core/model/unet2d.h"

namespace langevin::exporting {

// What langevin.json says of an exported model, for people and programs: name and value.
using Facts = std::vector<std::pair<std::string, std::string>>;

// A folder whose descriptions were read and whose weights file was found, but not yet read.
struct ModelFolder {
  std::string path;
  std::string weights_path;
  configs::UNetConfig unet;
  diffusion::SchedulerConfig scheduler;
  bool has_scheduler = false;
  Facts facts;
};

// Whether `path` looks like a model folder at all: it has model_index.json or config.json.
bool IsModelFolder(FileSystem& file_system, const std::string& path);

// NotFound: no such folder, or no description or weights in it; InvalidArgument: a description that
// is wrong or of a model that this program does not have.
absl::StatusOr<ModelFolder> ReadModelFolder(FileSystem& file_system, const std::string& path);

// The tensors of one part of a network ("down_blocks.0", "conv_in"), as they were found in a file.
struct MatchedPart {
  std::string name;
  int64_t tensors = 0;
  int64_t numbers = 0;
};

// Fills the weights of a network that was made for folder.unet; float16 and bfloat16 are converted,
// and the attention names of old diffusers versions understood. DataLoss, listing what does not
// fit: damaged file, missing or extra tensors, other shapes. Returns the number of tensors that
// matched.
absl::StatusOr<std::vector<MatchedPart>> LoadWeights(FileSystem& file_system,
                                                     const ModelFolder& folder,
                                                     model::UNet2D& network);

struct ExportRequest {
  configs::UNetConfig unet;
  diffusion::SchedulerConfig scheduler;
  at::Tensor weights;  // Flat buffer of `network`.
  Facts facts;
};

// Writes the folder under a temporary name, reads it back, checks that it gives what `network`
// gives with the weights, to the bit, and renames it to `path`. A folder at `path` that an earlier
// export wrote is replaced; anything else there is AlreadyExists.
absl::Status WriteModelFolder(FileSystem& file_system, const std::string& path,
                              const ExportRequest& request, model::UNet2D& network);

}  // namespace langevin::exporting

#endif  // LANGEVIN_CORE_EXPORT_MODEL_FOLDER_H_
