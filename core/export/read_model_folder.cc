#include <algorithm>
#include <set>

#include "ATen/ATen.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "core/base/safetensors.h"
#include "core/base/status_macros.h"
#include "core/export/is_model_folder.h"
#include "core/export/model_folder.h"
#include "core/model/state_dict.h"
#include "nlohmann/json.hpp"

namespace langevin::exporting {
namespace {

constexpr uint64_t kMaxDescriptionBytes = 1 << 20;
constexpr char kWeightsName[] = "diffusion_pytorch_model.safetensors";

absl::StatusOr<diffusion::SchedulerConfig> ReadScheduler(FileSystem& file_system,
                                                         const std::string& path) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::string json,
                            file_system.ReadFile(path, kMaxDescriptionBytes));
  return diffusion::SchedulerConfigFromJson(json, path);
}

absl::StatusOr<Facts> ReadFacts(FileSystem& file_system, const std::string& path) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::string text,
                            file_system.ReadFile(path, kMaxDescriptionBytes));
  const auto json = nlohmann::ordered_json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": is not a JSON object; export the model again"));
  }
  Facts facts;
  for (const auto& [name, value] : json.items()) {
    facts.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
  }
  return facts;
}

// What training of the model dropped labels with, if that is known.
absl::StatusOr<std::optional<double>> LabelDropoutFrom(const Facts& facts,
                                                       const std::string& path) {
  for (const auto& [name, value] : facts) {
    if (name != kLabelDropoutFact) continue;
    double dropout = 0;
    if (!absl::SimpleAtod(value, &dropout) || !(dropout >= 0 && dropout < 1)) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": field ", name, ": value \"", value,
                                                     "\": must be at least 0 and below 1; export "
                                                     "the model again"));
    }
    return dropout;
  }
  return std::nullopt;
}

bool IsSelfConditioned(const Facts& facts) {
  return std::any_of(facts.begin(), facts.end(), [](const auto& fact) {
    return fact.first == kSelfConditioningFact && fact.second == "true";
  });
}

// The names of diffusers before 0.18, which UNet2DModel.from_pretrained still understands.
std::string CurrentName(const std::string& name) {
  if (!absl::StrContains(name, ".attentions.")) return name;
  return absl::StrReplaceAll(name, {{".query.", ".to_q."},
                                    {".key.", ".to_k."},
                                    {".value.", ".to_v."},
                                    {".proj_attn.", ".to_out.0."}});
}

at::ScalarType ScalarTypeOf(DType dtype) {
  switch (dtype) {
    case DType::kFloat64:
      return at::kDouble;
    case DType::kFloat16:
      return at::kHalf;
    case DType::kBFloat16:
      return at::kBFloat16;
    default:
      return at::kFloat;
  }
}

bool IsFloat(DType dtype) {
  return dtype == DType::kFloat64 || dtype == DType::kFloat32 || dtype == DType::kFloat16 ||
         dtype == DType::kBFloat16;
}

// What differs between the tensors a file has and those a network wants, by current name.
absl::Status CompareWithNetwork(const SafetensorsFile& file,
                                const std::map<std::string, std::string>& file_names,
                                const model::ParameterStore& store) {
  std::vector<std::string> missing, extra, different;
  std::set<std::string> wanted;
  for (const model::Parameter& parameter : store.parameters()) {
    wanted.insert(parameter.name);
    const auto found = file_names.find(parameter.name);
    if (found == file_names.end()) {
      if (!model::IsForTrainingAlone(parameter.name)) missing.push_back(parameter.name);
      continue;
    }
    const SafetensorsFile::Entry& entry = file.entries().at(found->second);
    if (!IsFloat(entry.dtype) || entry.shape != parameter.shape) {
      different.push_back(absl::StrCat(parameter.name, " is ", std::string(NameOf(entry.dtype)),
                                       " ", ShapeString(entry.shape), ", needed ",
                                       ShapeString(parameter.shape)));
    }
  }
  for (const auto& [name, file_name] : file_names) {
    if (!wanted.contains(name)) extra.push_back(file_name);
  }
  if (missing.empty() && extra.empty() && different.empty()) return absl::OkStatus();
  std::vector<std::string> parts;
  const auto describe = [&parts](const char* what, const std::vector<std::string>& names) {
    if (names.empty()) return;
    const size_t shown = std::min<size_t>(names.size(), 3);
    parts.push_back(absl::StrCat(names.size(), " ", what, " (",
                                 absl::StrJoin(names.begin(), names.begin() + shown, "; "),
                                 shown < names.size() ? "; ...)" : ")"));
  };
  describe("missing", missing);
  describe("not part of the model", extra);
  describe("of another type or shape", different);
  return absl::DataLossError(absl::StrCat(file.path(), ": the weights do not fit config.json: of ",
                                          wanted.size(), " tensors, ", absl::StrJoin(parts, ", "),
                                          "; take config.json and weights from the same model"));
}

// "down_blocks.0.resnets.1.conv1.weight" belongs to "down_blocks.0", "conv_in.bias" to "conv_in".
std::string PartOf(const std::string& name) {
  size_t end = name.find('.');
  if (absl::StartsWith(name, "down_blocks.") || absl::StartsWith(name, "up_blocks.") ||
      absl::StartsWith(name, "transformer_blocks.") || absl::StartsWith(name, "encoder.") ||
      absl::StartsWith(name, "decoder.")) {
    end = name.find('.', end + 1);
  }
  return name.substr(0, end);
}

std::vector<MatchedPart> PartsOf(const model::ParameterStore& store,
                                 const std::map<std::string, std::string>& file_names) {
  std::vector<MatchedPart> parts;
  for (const model::Parameter& parameter : store.parameters()) {
    if (!file_names.contains(parameter.name)) continue;
    const std::string name = PartOf(parameter.name);
    if (parts.empty() || parts.back().name != name) parts.push_back({.name = name});
    ++parts.back().tensors;
    parts.back().numbers += parameter.numel;
  }
  return parts;
}

}  // namespace

absl::StatusOr<ModelFolder> ReadModelFolder(FileSystem& file_system, const std::string& path) {
  LANGEVIN_ASSIGN_OR_RETURN(const FileInfo info, file_system.GetInfo(path));
  if (info.type != FileType::kDirectory || !IsModelFolder(file_system, path)) {
    return absl::NotFoundError(
        absl::StrCat(path,
                     ": is no model folder; give a folder with model_index.json and unet/ or "
                     "transformer/, or "
                     "with config.json and ",
                     kWeightsName));
  }
  ModelFolder folder{.path = path};
  const bool is_pipeline = file_system.Exists(JoinPath(path, "model_index.json"));
  std::string model_path = path;
  if (is_pipeline) {
    const std::string transformer = JoinPath(path, "transformer");
    model_path = file_system.Exists(transformer) ? transformer : JoinPath(path, "unet");
  }
  const std::string config_path = JoinPath(model_path, "config.json");
  LANGEVIN_ASSIGN_OR_RETURN(const std::string config_json,
                            file_system.ReadFile(config_path, kMaxDescriptionBytes));
  const std::string facts_path = JoinPath(path, "langevin.json");
  if (file_system.Exists(facts_path)) {
    LANGEVIN_ASSIGN_OR_RETURN(folder.facts, ReadFacts(file_system, facts_path));
  }
  LANGEVIN_ASSIGN_OR_RETURN(const std::optional<double> label_dropout,
                            LabelDropoutFrom(folder.facts, facts_path));
  LANGEVIN_ASSIGN_OR_RETURN(folder.model,
                            configs::ModelConfigFromJson(config_json, config_path, label_dropout,
                                                         IsSelfConditioned(folder.facts)));

  folder.weights_path = JoinPath(model_path, kWeightsName);
  if (!file_system.Exists(folder.weights_path)) {
    return absl::NotFoundError(
        absl::StrCat(folder.weights_path,
                     ": is missing; only safetensors weights in one file are "
                     "read: save with save_pretrained(safe_serialization=True)"));
  }
  const std::string scheduler_path = JoinPath(path, "scheduler/scheduler_config.json");
  if (file_system.Exists(scheduler_path)) {
    LANGEVIN_ASSIGN_OR_RETURN(folder.scheduler, ReadScheduler(file_system, scheduler_path));
    folder.has_scheduler = true;
  }
  return folder;
}

absl::StatusOr<std::vector<MatchedPart>> LoadWeights(FileSystem& file_system,
                                                     const ModelFolder& folder,
                                                     model::Network& network) {
  const at::NoGradGuard no_grad;
  const absl::StatusOr<SafetensorsFile> opened =
      SafetensorsFile::Open(file_system, folder.weights_path);
  // A link or a pipe in place of the weights is as bad as damaged ones.
  if (absl::IsInvalidArgument(opened.status())) {
    return absl::DataLossError(opened.status().message());
  }
  if (!opened.ok()) return opened.status();
  const SafetensorsFile& file = *opened;
  std::map<std::string, std::string> file_names;  // By current name.
  for (const auto& [name, entry] : file.entries()) file_names[CurrentName(name)] = name;
  model::ParameterStore& store = network.parameters();
  LANGEVIN_RETURN_IF_ERROR(CompareWithNetwork(file, file_names, store));
  for (const model::Parameter& parameter : store.parameters()) {
    if (!file_names.contains(parameter.name)) continue;  // For training alone.
    const std::string& file_name = file_names.at(parameter.name);
    const SafetensorsFile::Entry& entry = file.entries().at(file_name);
    const at::Tensor values = at::empty(entry.shape, ScalarTypeOf(entry.dtype));
    LANGEVIN_RETURN_IF_ERROR(
        file.Read({.name = file_name,
                   .dtype = entry.dtype,
                   .shape = entry.shape,
                   .bytes = {static_cast<std::byte*>(values.data_ptr()), values.nbytes()}}));
    if (!at::isfinite(values).all().item<bool>()) {
      return absl::DataLossError(
          absl::StrCat(folder.weights_path, ": tensor ", file_name,
                       " has values that are not finite; get the model again"));
    }
    model::ParameterStore::ViewOf(store.master(), parameter).copy_(values);
  }
  store.RefreshComputeWeights();
  return PartsOf(store, file_names);
}

}  // namespace langevin::exporting
