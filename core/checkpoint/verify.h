// Whether a folder is a whole and undamaged checkpoint.
#ifndef LANGEVIN_CORE_CHECKPOINT_VERIFY_H_
#define LANGEVIN_CORE_CHECKPOINT_VERIFY_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "checkpoint_manifest.pb.h"
#include "core/base/file_system.h"

namespace langevin::checkpoint {

// Reads and checks MANIFEST alone. All errors name the folder first. DataLoss for whatever damage
// or an attacker can do: anything missing, altered, of another size, a link or a pipe where a file
// should be. Other codes say that it could not be looked at (no permission, no memory) or that a
// newer program wrote it (Unimplemented): they do not speak against the checkpoint.
absl::StatusOr<proto::CheckpointManifest> ReadManifest(FileSystem& file_system,
                                                       const std::string& folder);

// The same for all of it: every byte of every file is read and compared with its checksum, and the
// shards must hold exactly the tensors that MANIFEST lists.
absl::StatusOr<proto::CheckpointManifest> VerifyCheckpoint(FileSystem& file_system,
                                                           const std::string& folder);

// `status` about something in `folder`, as the errors above are: folder first, damage is DataLoss.
absl::Status AboutCheckpoint(const std::string& folder, const absl::Status& status);

}  // namespace langevin::checkpoint

#endif  // LANGEVIN_CORE_CHECKPOINT_VERIFY_H_
