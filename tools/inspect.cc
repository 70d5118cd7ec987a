#include "tools/inspect.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/memory.h"
#include "core/base/png.h"
#include "core/base/status_macros.h"
#include "core/checkpoint/checkpoint.h"
#include "core/export/is_model_folder.h"
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

void PrintCheckpoint(const checkpoint::Found& found) {
  PrintFact("checkpoint", found.folder);
  PrintFact("images_seen", absl::StrCat(found.metadata.images_seen));
  PrintFact("tensors", absl::StrCat(found.tensors.size()));
  PrintFact("data", found.metadata.data_fingerprint);
  PrintFact("written by",
            absl::StrCat(found.metadata.software, ", ", found.metadata.world_size, " ranks"));
  for (const auto& [name, value] : found.metadata.facts) PrintFact(name, value);
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
  PrintFact("kind", is_run ? "run" : "checkpoint");
  if (is_run) {
    LANGEVIN_ASSIGN_OR_RETURN(const std::vector<checkpoint::Listed> listed,
                              checkpoint::List(file_system, options.path));
    for (const checkpoint::Listed& one : listed) {
      PrintFact(BaseName(one.folder),
                one.metadata.ok()
                    ? FormatBytes(one.bytes)
                    : absl::StrCat("damaged: ", std::string(one.metadata.status().message())));
    }
    if (listed.empty()) {
      PrintFact("checkpoints", "none yet");
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

absl::Status RunInspect(const InspectOptions& options, const InspectModel& inspect_model) {
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
  if (exporting::IsModelFolder(file_system, path)) {
    return inspect_model(file_system, path, options.digest);
  }
  return InspectRun(file_system, options);
}

}  // namespace

void PrintFact(const std::string& name, const std::string& value) {
  absl::PrintF("%-18s %s\n", name, value);
}

void RegisterInspect(CLI::App& program, std::function<absl::Status()>& action,
                     InspectModel inspect_model) {
  CLI::App* command = program.add_subcommand(
      "inspect", "Say what a data set, shard, run, checkpoint or model is; changes nothing");
  auto options = std::make_shared<InspectOptions>();
  command->add_option("PATH", options->path, "what to look at")->required();
  command->add_flag("--digest", options->digest,
                    "print one line that names weights, averages, optimizer state and images_seen");
  command->add_option("--contact_sheet", options->contact_sheet,
                      "write a PNG with images of each class of the data set");
  command->callback([options, inspect_model = std::move(inspect_model), &action] {
    action = [options, inspect_model] { return RunInspect(*options, inspect_model); };
  });
}

}  // namespace langevin::tools
