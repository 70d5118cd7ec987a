#include <memory>
#include <span>

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"
#include "core/base/philox.h"
#include "core/base/safetensors.h"
#include "core/base/staging_folder.h"
#include "core/base/status_macros.h"
#include "core/export/model_folder.h"
#include "core/model/state_dict.h"
#include "nlohmann/json.hpp"

namespace langevin::exporting {
namespace {

using Json = nlohmann::ordered_json;
using model::NamedTensor;

// Fixed inputs of a network and what it gives for them: lets whoever loads the weights elsewhere
// check that they mean the same there.
struct Parity {
  NamedTensor sample, timestep, class_labels, output;

  std::vector<NamedTensor> Tensors() const {
    std::vector<NamedTensor> tensors = {sample, timestep};
    if (class_labels.tensor.defined()) tensors.push_back(class_labels);
    tensors.push_back(output);
    return tensors;
  }
};

Parity ComputeParity(const ExportRequest& request, model::UNet2D& network) {
  const at::NoGradGuard no_grad;
  const configs::UNetConfig& unet = request.unet;
  constexpr int64_t kCount = 2;
  const int64_t side = int64_t{8} << (unet.block_out_channels.size() - 1);
  const int64_t height = unet.sample_size.empty() ? side : unet.sample_height();
  const int64_t width = unet.sample_size.empty() ? side : unet.sample_width();
  Parity parity{.sample = {"sample", at::empty({kCount, unet.in_channels, height, width})},
                .timestep = {"timestep", at::empty({kCount}, at::kLong)},
                .class_labels = {"class_labels", at::Tensor()},
                .output = {"output", at::Tensor()}};
  RandomStream(/*seed=*/0, /*position=*/0, RandomPurpose::kInitialSample)
      .FillNormal({parity.sample.tensor.data_ptr<float>(),
                   static_cast<size_t>(parity.sample.tensor.numel())});
  const int64_t steps = request.scheduler.num_train_timesteps;
  parity.timestep.tensor[0] = steps / 4;
  parity.timestep.tensor[1] = steps - 1;
  if (unet.class_embed_type == "identity") {
    parity.class_labels.tensor = at::zeros({kCount, unet.time_embed_dim()}, at::kFloat);
  } else if (unet.is_conditional()) {
    parity.class_labels.tensor = at::zeros({kCount}, at::kLong);
    parity.class_labels.tensor[1] = unet.num_class_embeds.value_or(2) - 1;
  }
  const model::ParameterStore::ScopedWeights weights(network.parameters(), request.weights);
  parity.output.tensor =
      network.Forward(parity.sample.tensor, parity.timestep.tensor, parity.class_labels.tensor, {})
          .contiguous();
  return parity;
}

Json ModelIndex(const std::string& scheduler_class) {
  Json index;
  index["_class_name"] = scheduler_class == "DDIMScheduler" ? "DDIMPipeline" : "DDPMPipeline";
  index["_diffusers_version"] = "0.42.1";
  index["scheduler"] = {"diffusers", scheduler_class};
  index["unet"] = {"diffusers", "UNet2DModel"};
  return index;
}

absl::Status WriteContents(FileSystem& file_system, const std::string& folder,
                           const ExportRequest& request, const Parity& parity,
                           const model::ParameterStore& store) {
  LANGEVIN_RETURN_IF_ERROR(file_system.CreateFolders(JoinPath(folder, "unet")));
  LANGEVIN_RETURN_IF_ERROR(file_system.CreateFolders(JoinPath(folder, "scheduler")));
  LANGEVIN_RETURN_IF_ERROR(
      file_system.WriteFile(JoinPath(folder, "model_index.json"),
                            ModelIndex(request.scheduler.class_name).dump(2) + "\n"));
  LANGEVIN_RETURN_IF_ERROR(
      file_system.WriteFile(JoinPath(folder, "unet/config.json"), UNetConfigToJson(request.unet)));
  LANGEVIN_RETURN_IF_ERROR(
      file_system.WriteFile(JoinPath(folder, "scheduler/scheduler_config.json"),
                            SchedulerConfigToJson(request.scheduler)));
  Json facts = Json::object();
  for (const auto& [name, value] : request.facts) facts[name] = value;
  LANGEVIN_RETURN_IF_ERROR(
      file_system.WriteFile(JoinPath(folder, "langevin.json"), facts.dump(2) + "\n"));
  const std::vector<NamedTensor> weights = model::StateDict(store, request.weights, "");
  LANGEVIN_RETURN_IF_ERROR(
      WriteSafetensors(file_system, JoinPath(folder, "unet/diffusion_pytorch_model.safetensors"),
                       model::ViewsOf(weights), {{"format", "pt"}}));
  const std::vector<NamedTensor> parity_tensors = parity.Tensors();
  return WriteSafetensors(file_system, JoinPath(folder, "parity.safetensors"),
                          model::ViewsOf(parity_tensors), {});
}

// Reads the folder as a stranger would and compares what it gives with what was meant.
absl::Status CheckByReadingBack(FileSystem& file_system, const std::string& folder,
                                const Parity& parity) {
  LANGEVIN_ASSIGN_OR_RETURN(const ModelFolder read, ReadModelFolder(file_system, folder));
  model::UNet2D network(read.unet, configs::Precision::kFp32, at::kCPU);
  LANGEVIN_RETURN_IF_ERROR(LoadWeights(file_system, read, network).status());
  const at::NoGradGuard no_grad;
  const at::Tensor output =
      network.Forward(parity.sample.tensor, parity.timestep.tensor, parity.class_labels.tensor, {});
  if (!at::equal(output, parity.output.tensor)) {
    return absl::InternalError(
        absl::StrCat(folder, ": the exported model gives other values than the run's"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteModelFolder(FileSystem& file_system, const std::string& path,
                              const ExportRequest& request, model::UNet2D& network) {
  if (file_system.Exists(path) && !file_system.Exists(JoinPath(path, "langevin.json"))) {
    const absl::StatusOr<std::vector<std::string>> names = file_system.List(path);
    if (!names.ok() || !names->empty()) {
      return absl::AlreadyExistsError(absl::StrCat(
          path, ": exists and is no export of Langevin; choose another --output or remove it"));
    }
  }
  const Parity parity = ComputeParity(request, network);
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<StagingFolder> staging,
                            StagingFolder::Create(file_system, path));
  LANGEVIN_RETURN_IF_ERROR(
      WriteContents(file_system, staging->path(), request, parity, network.parameters()));
  LANGEVIN_RETURN_IF_ERROR(CheckByReadingBack(file_system, staging->path(), parity));
  return staging->CommitReplacing();
}

}  // namespace langevin::exporting
