#include "tools/inspect.h"

#include <memory>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/digest.h"
#include "core/base/memory.h"
#include "core/base/png.h"
#include "core/base/safetensors.h"
#include "core/base/status_macros.h"
#include "core/checkpoint/checkpoint.h"
#include "core/export/model_folder.h"
#include "core/model/make_network.h"
#include "core/model/state_dict.h"
#include "data/contact_sheet.h"
#include "data/describe.h"
#include "data/manifest.h"

namespace langevin::tools {
namespace {

struct InspectOptions {
  std::string path;
  bool digest = false;
  std::string contact_sheet;  // Where to write it; empty: nowhere.
};

void Print(const std::string& name, const std::string& value) {
  absl::PrintF("%-18s %s\n", name, value);
}

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

absl::Status InspectModelFolder(FileSystem& file_system, const InspectOptions& options) {
  LANGEVIN_ASSIGN_OR_RETURN(const exporting::ModelFolder folder,
                            exporting::ReadModelFolder(file_system, options.path));
  LANGEVIN_ASSIGN_OR_RETURN(const std::string digest, WeightsDigest(file_system, folder));
  if (options.digest) {
    absl::PrintF("digest %s\n", digest);
    return absl::OkStatus();
  }
  const configs::ModelConfig& config = folder.model;
  Print("kind", config.in_diffusers() ? "diffusers model folder" : "Langevin model folder");
  Print("model",
        absl::StrCat(config.class_name(), ", ", model::CountParameters(config), " parameters"));
  if (const auto size = config.sample_size(); size.has_value()) {
    Print("sample size",
          absl::StrCat(size->height, " x ", size->width, " x ", config.image_channels()));
  }
  if (const auto classes = config.num_classes(); classes.has_value()) {
    Print("classes",
          absl::StrCat(*classes,
                       config.null_class().has_value() ? " and the null label, for guidance" : ""));
  }
  if (folder.has_scheduler) {
    Print("scheduler",
          absl::StrCat(folder.scheduler.class_name, ", ", folder.scheduler.num_train_timesteps,
                       " steps, ", folder.scheduler.beta_schedule, ", predicts ",
                       folder.scheduler.prediction_type));
  }
  for (const auto& [name, value] : folder.facts) Print(name, value);
  Print("digest", digest);
  return absl::OkStatus();
}

void PrintCheckpoint(const checkpoint::Found& found) {
  Print("checkpoint", found.folder);
  Print("images_seen", absl::StrCat(found.metadata.images_seen));
  Print("tensors", absl::StrCat(found.tensors.size()));
  Print("data", found.metadata.data_fingerprint);
  Print("written by",
        absl::StrCat(found.metadata.software, ", ", found.metadata.world_size, " ranks"));
  for (const auto& [name, value] : found.metadata.facts) Print(name, value);
}

absl::Status InspectRun(FileSystem& file_system, const InspectOptions& options) {
  absl::StatusOr<checkpoint::Found> found = checkpoint::FindForReading(file_system, options.path);
  if (options.digest) {
    if (!found.ok()) return found.status();
    LANGEVIN_ASSIGN_OR_RETURN(const std::string digest,
                              checkpoint::StateDigest(file_system, *found));
    absl::PrintF("digest %s\n", digest);
    return absl::OkStatus();
  }
  const bool is_run = file_system.Exists(JoinPath(options.path, "config.textproto"));
  if (!is_run && !found.ok()) return found.status();
  Print("kind", is_run ? "run" : "checkpoint");
  if (is_run) {
    LANGEVIN_ASSIGN_OR_RETURN(const std::vector<checkpoint::Listed> listed,
                              checkpoint::List(file_system, options.path));
    for (const checkpoint::Listed& one : listed) {
      Print(BaseName(one.folder),
            one.metadata.ok()
                ? FormatBytes(one.bytes)
                : absl::StrCat("damaged: ", std::string(one.metadata.status().message())));
    }
    if (listed.empty()) {
      Print("checkpoints", "none yet");
      return absl::OkStatus();
    }
  }
  if (!found.ok()) return found.status();
  PrintCheckpoint(*found);
  return absl::OkStatus();
}

absl::Status WriteContactSheet(FileSystem& file_system, const InspectOptions& options) {
  LANGEVIN_ASSIGN_OR_RETURN(const Picture sheet, data::ContactSheet(file_system, options.path));
  LANGEVIN_ASSIGN_OR_RETURN(const std::string png, EncodePng(sheet));
  return file_system.WriteFileDurably(options.contact_sheet, png);
}

absl::Status RunInspect(const InspectOptions& options) {
  FileSystem& file_system = PosixFileSystem();
  const std::string& path = options.path;
  LANGEVIN_ASSIGN_OR_RETURN(const FileInfo info, file_system.GetInfo(path));
  const bool is_dataset =
      info.type != FileType::kRegular && file_system.Exists(JoinPath(path, data::kManifestName));
  if (!options.contact_sheet.empty() && !is_dataset) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": --contact_sheet takes the folder of a data set"));
  }
  if (info.type == FileType::kRegular) {
    if (options.digest) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": --digest takes a run, a checkpoint or a model folder"));
    }
    LANGEVIN_ASSIGN_OR_RETURN(const std::string text, data::DescribeShard(file_system, path));
    absl::PrintF("%s", text);
    return absl::OkStatus();
  }
  if (is_dataset && !options.digest) {
    LANGEVIN_ASSIGN_OR_RETURN(const std::string text, data::DescribeDataset(file_system, path));
    absl::PrintF("%s", text);
    return options.contact_sheet.empty() ? absl::OkStatus()
                                         : WriteContactSheet(file_system, options);
  }
  if (exporting::IsModelFolder(file_system, path)) return InspectModelFolder(file_system, options);
  return InspectRun(file_system, options);
}

}  // namespace

void RegisterInspect(CLI::App& program, std::function<absl::Status()>& action) {
  CLI::App* command = program.add_subcommand(
      "inspect", "Say what a data set, shard, run, checkpoint or model is; changes nothing");
  auto options = std::make_shared<InspectOptions>();
  command->add_option("PATH", options->path, "what to look at")->required();
  command->add_flag("--digest", options->digest,
                    "print one line that names weights, averages, optimizer state and images_seen");
  command->add_option("--contact_sheet", options->contact_sheet,
                      "write a PNG with images of each class of the data set");
  command->callback([options, &action] { action = [options] { return RunInspect(*options); }; });
}

}  // namespace langevin::tools
