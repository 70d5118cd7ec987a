#include "core/train/run_folder.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace langevin::train {
namespace {

constexpr char kConfigName[] = "config.textproto";

absl::Status DifferentRun(const std::string& where, const absl::Status& difference) {
  return absl::FailedPreconditionError(
      absl::StrCat(where, ": belongs to another run: ", std::string(difference.message()),
                   "; choose another --output, or give the config it was made with"));
}

absl::StatusOr<bool> HasCheckpoints(FileSystem& file_system, const std::string& folder) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<checkpoint::Listed> listed,
                            checkpoint::List(file_system, folder));
  return !listed.empty();
}

}  // namespace

absl::Status CheckRunFolder(FileSystem& file_system, const std::string& folder,
                            const configs::RunConfig& config, Resume resume) {
  std::vector<std::string> names;
  bool has_checkpoints = false;
  if (file_system.Exists(folder)) {
    LANGEVIN_ASSIGN_OR_RETURN(names, file_system.List(folder));
    LANGEVIN_ASSIGN_OR_RETURN(has_checkpoints, HasCheckpoints(file_system, folder));
  }
  if (resume == Resume::kNever && has_checkpoints) {
    return absl::FailedPreconditionError(absl::StrCat(
        folder, ": has checkpoints, and --resume never was given; choose another --output"));
  }
  if (resume == Resume::kMust && !has_checkpoints) {
    return absl::NotFoundError(
        absl::StrCat(folder, ": has no checkpoints, and --resume must was given"));
  }
  if (names.empty()) return absl::OkStatus();
  const std::string config_path = JoinPath(folder, kConfigName);
  if (!file_system.Exists(config_path)) {
    // What a start that was killed early leaves behind is no reason to refuse.
    for (const std::string& name : names) {
      if (!absl::StartsWith(name, ".") && name != absl::StrCat(kConfigName, ".tmp")) {
        return absl::AlreadyExistsError(absl::StrCat(
            folder, ": is not empty (", name, ") and holds no run; choose another --output"));
      }
    }
    return absl::OkStatus();
  }
  LANGEVIN_ASSIGN_OR_RETURN(const std::string text, file_system.ReadFile(config_path, 1 << 20));
  LANGEVIN_ASSIGN_OR_RETURN(const configs::RunConfig before,
                            configs::ParseRunConfig(text, config_path, {}));
  const absl::Status same = configs::CheckSameRun(before, config);
  return same.ok() ? same : DifferentRun(folder, same);
}

absl::Status OpenRunFolder(FileSystem& file_system, const std::string& folder,
                           const configs::RunConfig& config) {
  absl::Status opened = file_system.CreateFolders(folder);
  if (opened.ok()) {
    opened = file_system.WriteFileDurably(JoinPath(folder, kConfigName), configs::ToText(config));
  }
  if (opened.ok()) return opened;
  const std::string message =
      absl::StrCat(std::string(opened.message()), "; choose another --output, or make it writable");
  // A place where nothing can be created is a bad choice, not lost data.
  return absl::IsNotFound(opened) ? absl::FailedPreconditionError(message)
                                  : absl::Status(opened.code(), message);
}

absl::Status CheckCheckpointFits(const checkpoint::Found& found, const configs::RunConfig& config,
                                 const std::string& data_fingerprint) {
  LANGEVIN_ASSIGN_OR_RETURN(
      const configs::RunConfig before,
      configs::ParseRunConfig(found.metadata.config, found.folder + " (config)", {}));
  if (const absl::Status same = configs::CheckSameRun(before, config); !same.ok()) {
    return DifferentRun(found.folder, same);
  }
  if (found.metadata.data_fingerprint != data_fingerprint) {
    return absl::FailedPreconditionError(absl::StrCat(
        found.folder, ": was trained on data set ", found.metadata.data_fingerprint, ", --data is ",
        data_fingerprint, "; give the same data, or choose another --output"));
  }
  return absl::OkStatus();
}

}  // namespace langevin::train
