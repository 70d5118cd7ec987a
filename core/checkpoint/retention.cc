#include "core/checkpoint/retention.h"

#include <vector>

#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "core/checkpoint/folders.h"
#include "core/checkpoint/manifest.h"

namespace langevin::checkpoint {

absl::Status RemoveCheckpoint(FileSystem& file_system, const std::string& folder) {
  const absl::Status removed = file_system.RemoveFile(JoinPath(folder, kManifestName));
  if (!removed.ok() && !absl::IsNotFound(removed)) return removed;
  return file_system.RemoveTree(folder);
}

void KeepNewest(FileSystem& file_system, const std::string& checkpoints_folder, int keep) {
  const absl::StatusOr<std::vector<CheckpointName>> checkpoints =
      ListCheckpoints(file_system, checkpoints_folder);
  if (!checkpoints.ok()) {
    LogWarning("%s: older checkpoints were not removed: %s", checkpoints_folder,
               std::string(checkpoints.status().message()));
    return;
  }
  int kept = 0;
  for (auto checkpoint = checkpoints->rbegin(); checkpoint != checkpoints->rend(); ++checkpoint) {
    if (checkpoint->quarantined) continue;
    const std::string folder = JoinPath(checkpoints_folder, checkpoint->name);
    // A link leads to a folder that is somebody else's to remove from.
    const absl::StatusOr<FileInfo> info = file_system.GetInfo(folder);
    if (!info.ok() || info->type != FileType::kDirectory) continue;
    const absl::Status manifest = file_system.GetInfo(JoinPath(folder, kManifestName)).status();
    const bool has_manifest = manifest.ok();
    // Only what is known not to be needed may go.
    if (!has_manifest && !absl::IsNotFound(manifest)) continue;
    // Without a manifest but newer than all that have one: not the work of a removal, so not ours.
    if (!has_manifest && kept == 0) continue;
    if (has_manifest && kept < keep) {
      ++kept;
      continue;
    }
    const absl::Status removed = RemoveCheckpoint(file_system, folder);
    if (!removed.ok()) {
      LogWarning("%s: this old checkpoint could not be removed: %s; remove it by hand if it stays",
                 folder, std::string(removed.message()));
    }
  }
}

}  // namespace langevin::checkpoint
