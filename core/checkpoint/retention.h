// Which checkpoints stay, and how the others go.
#ifndef LANGEVIN_CORE_CHECKPOINT_RETENTION_H_
#define LANGEVIN_CORE_CHECKPOINT_RETENTION_H_

#include <string>

#include "absl/status/status.h"
#include "core/base/file_system.h"

namespace langevin::checkpoint {

// Removes a checkpoint, its MANIFEST first: what is left at any moment is either the whole of it or
// none to anyone who looks.
absl::Status RemoveCheckpoint(FileSystem& file_system, const std::string& folder);

// Removes all but the newest `keep` that have a MANIFEST, and what older removals left half done.
// Quarantined ones do not count and stay. Called after a checkpoint was acknowledged, so a failure
// is only a warning; the next call tries again.
void KeepNewest(FileSystem& file_system, const std::string& checkpoints_folder, int keep);

}  // namespace langevin::checkpoint

#endif  // LANGEVIN_CORE_CHECKPOINT_RETENTION_H_
