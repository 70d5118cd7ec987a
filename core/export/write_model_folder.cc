#include <memory>
#include <span>

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/philox.h"
#include "core/base/safetensors.h"
#include "core/base/staging_folder.h"
#include "core/base/status_macros.h"
#include "core/export/model_folder.h"
#include "core/model/make_network.h"
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

// What the network is told at a quarter of the way from data to noise, and at the end: indices of
// steps, or times between them.
at::Tensor TwoTimes(const diffusion::SchedulerConfig& scheduler,
                    const diffusion::ForwardProcess& process) {
  const int64_t steps = scheduler.num_train_timesteps;
  if (diffusion::FamilyOf(scheduler) == diffusion::SchedulerFamily::kDiscrete) {
    return at::tensor({steps / 4, steps - 1}, at::kLong);
  }
  const double end = process.end_time();
  return at::tensor({process.NetworkTime(end / 4), process.NetworkTime(end)}, at::kFloat);
}

Parity ComputeParity(const ExportRequest& request, const diffusion::ForwardProcess& process,
                     model::Network& network) {
  const at::NoGradGuard no_grad;
  const configs::ModelConfig& model = request.model;
  constexpr int64_t kCount = 2;
  const auto [height, width] = model.some_sample_size();
  Parity parity{.sample = {"sample", at::empty({kCount, model.in_channels(), height, width})},
                .timestep = {"timestep", TwoTimes(request.scheduler, process)},
                .class_labels = {"class_labels", at::Tensor()},
                .output = {"output", at::Tensor()}};
  RandomStream(/*seed=*/0, /*position=*/0, RandomPurpose::kInitialSample)
      .FillNormal({parity.sample.tensor.data_ptr<float>(),
                   static_cast<size_t>(parity.sample.tensor.numel())});
  if (const std::optional<int64_t> size = model.condition_size()) {
    parity.class_labels.tensor = at::zeros({kCount, *size}, at::kFloat);
  } else if (model.is_conditional()) {
    parity.class_labels.tensor = at::zeros({kCount}, at::kLong);
    parity.class_labels.tensor[1] = model.num_classes().value_or(2) - 1;
  }
  const model::ParameterStore::ScopedWeights weights(network.parameters(), request.weights);
  parity.output.tensor =
      network.Forward(parity.sample.tensor, parity.timestep.tensor, parity.class_labels.tensor, {})
          .contiguous();
  return parity;
}

bool IsDiT(const configs::ModelConfig& model) {
  return std::holds_alternative<configs::DiTConfig>(model.architecture);
}

std::string PartOf(const configs::ModelConfig& model) {
  return IsDiT(model) ? "transformer" : "unet";
}

// The diffusers pipeline whose loop samples a UNet2DModel of this scheduler rightly, or our own
// name where there is none: then model and scheduler are loaded one by one (docs/sampling.md).
std::string PipelineOf(const ExportRequest& request) {
  if (!request.model.in_diffusers() || request.model.self_conditioning) return "LangevinPipeline";
  // Its pipeline decodes latents, and there is no decoder here: the images are the latents.
  if (IsDiT(request.model)) return "DiTPipeline";
  const std::string& scheduler = request.scheduler.class_name;
  if (scheduler == "DDIMScheduler") return "DDIMPipeline";
  switch (diffusion::FamilyOf(request.scheduler)) {
    case diffusion::SchedulerFamily::kDiscrete:
    case diffusion::SchedulerFamily::kFlow:
      return "DDPMPipeline";
    case diffusion::SchedulerFamily::kScoreVe:
      return "ScoreSdeVePipeline";
    default:
      return "LangevinPipeline";
  }
}

Json ModelIndex(const ExportRequest& request) {
  const configs::ModelConfig& model = request.model;
  Json index;
  index["_class_name"] = PipelineOf(request);
  index["_diffusers_version"] = "0.42.1";
  if (IsDiT(model)) index["vae"] = {nullptr, nullptr};
  const bool is_own =
      diffusion::FamilyOf(request.scheduler) == diffusion::SchedulerFamily::kLangevin;
  index["scheduler"] = {is_own ? "langevin" : "diffusers", request.scheduler.class_name};
  index[PartOf(model)] = {model.in_diffusers() ? "diffusers" : "langevin", model.class_name()};
  return index;
}

// Without what matters in training alone, which diffusers has no place for.
std::vector<NamedTensor> ExportedWeights(const model::ParameterStore& store,
                                         const at::Tensor& weights) {
  std::vector<NamedTensor> tensors = model::StateDict(store, weights, "");
  std::erase_if(tensors,
                [](const NamedTensor& tensor) { return model::IsForTrainingAlone(tensor.name); });
  return tensors;
}

Json FactsOf(const ExportRequest& request) {
  Json facts = Json::object();
  for (const auto& [name, value] : request.facts) facts[name] = value;
  const configs::ModelConfig& model = request.model;
  if (IsDiT(model) || model.label_dropout > 0) {
    facts[kLabelDropoutFact] = absl::StrFormat("%.9g", model.label_dropout);
  }
  if (model.self_conditioning) facts[kSelfConditioningFact] = "true";
  if (const std::optional<int64_t> null_class = model.null_class()) {
    facts["null_class"] = absl::StrCat(*null_class);
  }
  return facts;
}

absl::Status WriteContents(FileSystem& file_system, const std::string& folder,
                           const ExportRequest& request, const Parity& parity,
                           const model::ParameterStore& store) {
  const std::string part = JoinPath(folder, PartOf(request.model));
  LANGEVIN_RETURN_IF_ERROR(file_system.CreateFolders(part));
  LANGEVIN_RETURN_IF_ERROR(file_system.CreateFolders(JoinPath(folder, "scheduler")));
  LANGEVIN_RETURN_IF_ERROR(file_system.WriteFile(JoinPath(folder, "model_index.json"),
                                                 ModelIndex(request).dump(2) + "\n"));
  LANGEVIN_RETURN_IF_ERROR(
      file_system.WriteFile(JoinPath(part, "config.json"), ModelConfigToJson(request.model)));
  LANGEVIN_RETURN_IF_ERROR(
      file_system.WriteFile(JoinPath(folder, "scheduler/scheduler_config.json"),
                            SchedulerConfigToJson(request.scheduler)));
  LANGEVIN_RETURN_IF_ERROR(
      file_system.WriteFile(JoinPath(folder, "langevin.json"), FactsOf(request).dump(2) + "\n"));
  const std::vector<NamedTensor> weights = ExportedWeights(store, request.weights);
  LANGEVIN_RETURN_IF_ERROR(WriteSafetensors(file_system,
                                            JoinPath(part, "diffusion_pytorch_model.safetensors"),
                                            model::ViewsOf(weights), {{"format", "pt"}}));
  const std::vector<NamedTensor> parity_tensors = parity.Tensors();
  return WriteSafetensors(file_system, JoinPath(folder, "parity.safetensors"),
                          model::ViewsOf(parity_tensors), {});
}

// Reads the folder as a stranger would and compares what it gives with what was meant.
absl::Status CheckByReadingBack(FileSystem& file_system, const std::string& folder,
                                const Parity& parity) {
  LANGEVIN_ASSIGN_OR_RETURN(const ModelFolder read, ReadModelFolder(file_system, folder));
  const std::unique_ptr<model::Network> network =
      model::MakeNetwork(read.model, configs::Precision::kFp32, at::kCPU);
  LANGEVIN_RETURN_IF_ERROR(LoadWeights(file_system, read, *network).status());
  const at::NoGradGuard no_grad;
  const at::Tensor output = network->Forward(parity.sample.tensor, parity.timestep.tensor,
                                             parity.class_labels.tensor, {});
  if (!at::equal(output, parity.output.tensor)) {
    return absl::InternalError(
        absl::StrCat(folder, ": the exported model gives other values than the run's"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteModelFolder(FileSystem& file_system, const std::string& path,
                              const ExportRequest& request, model::Network& network) {
  if (file_system.Exists(path) && !file_system.Exists(JoinPath(path, "langevin.json"))) {
    const absl::StatusOr<std::vector<std::string>> names = file_system.List(path);
    if (!names.ok() || !names->empty()) {
      return absl::AlreadyExistsError(absl::StrCat(
          path, ": exists and is no export of Langevin; choose another --output or remove it"));
    }
  }
  LANGEVIN_ASSIGN_OR_RETURN(const diffusion::Formulation formulation,
                            diffusion::FormulationFrom(request.scheduler));
  const Parity parity = ComputeParity(request, *formulation.process, network);
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<StagingFolder> staging,
                            StagingFolder::Create(file_system, path));
  LANGEVIN_RETURN_IF_ERROR(
      WriteContents(file_system, staging->path(), request, parity, network.parameters()));
  LANGEVIN_RETURN_IF_ERROR(CheckByReadingBack(file_system, staging->path(), parity));
  return staging->CommitReplacing();
}

}  // namespace langevin::exporting
