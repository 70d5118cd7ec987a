#include "tools/inspect_model.h"

#include <memory>
#include <vector>

#include "ATen/ATen.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/digest.h"
#include "core/base/safetensors.h"
#include "core/base/status_macros.h"
#include "core/export/model_folder.h"
#include "core/model/make_network.h"
#include "core/model/state_dict.h"
#include "tools/inspect.h"

namespace langevin::tools {
namespace {

// The digest of a model's weights by name, type, shape and bytes.
absl::StatusOr<std::string> WeightsDigest(FileSystem& file_system,
                                          const exporting::ModelFolder& folder) {
  const std::unique_ptr<model::Network> network =
      model::MakeNetwork(folder.model, configs::Precision::kFp32, at::kCPU);
  LANGEVIN_RETURN_IF_ERROR(exporting::LoadWeights(file_system, folder, *network).status());
  const std::vector<model::NamedTensor> tensors =
      model::StateDict(network->parameters(), network->parameters().master(), "");
  Digest digest;
  for (const TensorView& view : model::ViewsOf(tensors)) {
    digest.UpdateString(view.name);
    digest.UpdateString(ShapeString(view.shape));
    digest.Update(view.bytes);
  }
  return digest.Hex();
}

}  // namespace

absl::Status InspectModelFolder(FileSystem& file_system, const std::string& path,
                                bool digest_only) {
  LANGEVIN_ASSIGN_OR_RETURN(const exporting::ModelFolder folder,
                            exporting::ReadModelFolder(file_system, path));
  LANGEVIN_ASSIGN_OR_RETURN(const std::string digest, WeightsDigest(file_system, folder));
  if (digest_only) {
    absl::PrintF("digest %s\n", digest);
    return absl::OkStatus();
  }
  const configs::ModelConfig& config = folder.model;
  PrintFact("kind", config.in_diffusers() ? "diffusers model folder" : "Langevin model folder");
  PrintFact("model",
            absl::StrCat(config.class_name(), ", ", model::CountParameters(config), " parameters"));
  if (const auto size = config.sample_size(); size.has_value()) {
    PrintFact("sample size",
              absl::StrCat(size->height, " x ", size->width, " x ", config.image_channels()));
  }
  if (const auto classes = config.num_classes(); classes.has_value()) {
    PrintFact("classes", absl::StrCat(*classes, config.null_class().has_value()
                                                    ? " and the null label, for guidance"
                                                    : ""));
  }
  if (folder.has_scheduler) {
    PrintFact("scheduler",
              absl::StrCat(folder.scheduler.class_name, ", ", folder.scheduler.num_train_timesteps,
                           " steps, ", folder.scheduler.beta_schedule, ", predicts ",
                           folder.scheduler.prediction_type));
  }
  for (const auto& [name, value] : folder.facts) PrintFact(name, value);
  PrintFact("digest", digest);
  return absl::OkStatus();
}

}  // namespace langevin::tools
