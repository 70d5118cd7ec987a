#include "core/export/model_source.h"

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "configs/run_config.h"
#include "core/base/status_macros.h"
#include "core/checkpoint/checkpoint.h"
#include "core/export/is_model_folder.h"
#include "core/model/make_network.h"
#include "core/model/state_dict.h"
#include "core/optim/schedule.h"

namespace langevin::exporting {
namespace {

std::string NameOfAverage(const configs::EmaConfig& ema) {
  return ema.power_std.empty() ? "ema" : absl::StrFormat("ema_std %.9g", ema.power_std.front());
}

absl::StatusOr<Model> OpenCheckpoint(FileSystem& file_system, const std::string& path,
                                     Weights weights, at::Device device) {
  LANGEVIN_ASSIGN_OR_RETURN(const checkpoint::Found found,
                            checkpoint::FindForReading(file_system, path));
  LANGEVIN_ASSIGN_OR_RETURN(
      const configs::RunConfig config,
      configs::ParseRunConfig(found.metadata.config, found.folder + " (config)", {}));
  if (!config.model.has_value()) {
    return absl::DataLossError(
        absl::StrCat(found.folder, ": its config names no model; it was not written by Langevin"));
  }
  Model model{.network = model::MakeNetwork(config, configs::Precision::kFp32, device),
              .config = *config.model,
              .scheduler = diffusion::SchedulerConfigFrom(config.diffusion),
              .facts = {},
              .origin = found.folder};
  model::ParameterStore& store = model.network->parameters();
  const bool averaged = weights == Weights::kEma;
  const std::vector<model::NamedTensor> tensors = model::EmptyStateDict(
      store, store.master(),
      averaged ? absl::StrCat(optim::AverageNames(config.ema).front(), ".") : "model.");
  LANGEVIN_RETURN_IF_ERROR(
      checkpoint::LoadTensors(file_system, found, model::MutableViewsOf(tensors)));
  model::FillFromStateDict(store, tensors, store.master());
  store.RefreshComputeWeights();
  for (const auto& fact : found.metadata.facts) {
    if (!fact.first.starts_with(checkpoint::kResumeFactPrefix)) model.facts.push_back(fact);
  }
  model.facts.emplace_back("weights", averaged ? NameOfAverage(config.ema) : "raw");
  model.facts.emplace_back("images_seen", absl::StrCat(found.metadata.images_seen));
  model.facts.emplace_back("data_fingerprint", found.metadata.data_fingerprint);
  model.facts.emplace_back("software", found.metadata.software);
  return model;
}

}  // namespace

absl::StatusOr<Model> OpenModel(FileSystem& file_system, const std::string& path, Weights weights,
                                at::Device device) {
  if (!file_system.Exists(path)) {
    return absl::NotFoundError(absl::StrCat(
        path, ": is not there; give a run, one of its checkpoints, or a diffusers folder"));
  }
  if (!IsModelFolder(file_system, path)) {
    return OpenCheckpoint(file_system, path, weights, device);
  }
  LANGEVIN_ASSIGN_OR_RETURN(const ModelFolder folder, ReadModelFolder(file_system, path));
  Model model{.network = model::MakeNetwork(folder.model, configs::Precision::kFp32, device),
              .config = folder.model,
              .scheduler = folder.scheduler,
              .facts = folder.facts,
              .origin = path};
  LANGEVIN_RETURN_IF_ERROR(LoadWeights(file_system, folder, *model.network).status());
  return model;
}

absl::StatusOr<diffusion::Formulation> FormulationOf(const Model& model) {
  LANGEVIN_ASSIGN_OR_RETURN(diffusion::Formulation formulation,
                            diffusion::FormulationFrom(model.scheduler));
  const int64_t in = model.config.image_channels(), out = model.config.out_channels();
  formulation.self_conditioned = model.config.self_conditioning;
  formulation.learns_variance = out == 2 * in;
  if (out != in && !formulation.learns_variance) {
    return absl::InvalidArgumentError(
        absl::StrCat(model.origin, ": has ", in, " channels in and ", out,
                     " out; only as many or twice as many (a learned variance) can be sampled"));
  }
  return formulation;
}

}  // namespace langevin::exporting
