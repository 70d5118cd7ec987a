// The names under RUN/checkpoints, and what becomes of them.
//
//     images-000000128000              a checkpoint
//     images-000000128000.bad, .bad-2  one that was found damaged and put aside; never touched
//     again .images-000000128000.tmp-1f...   one being written, or left by a run that died
#ifndef LANGEVIN_CORE_CHECKPOINT_FOLDERS_H_
#define LANGEVIN_CORE_CHECKPOINT_FOLDERS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/file_system.h"

namespace langevin::checkpoint {

struct CheckpointName {
  std::string name;
  int64_t images_seen = 0;
  bool quarantined = false;
};

// RUN/checkpoints.
std::string CheckpointsFolder(const std::string& run_folder);

// The checkpoints in a folder by images_seen, oldest first; other names are left out. A folder that
// is not there is an empty one.
absl::StatusOr<std::vector<CheckpointName>> ListCheckpoints(FileSystem& file_system,
                                                            const std::string& checkpoints_folder);

// A name for a folder to write into, unlike that of any other attempt.
std::string TemporaryName(int64_t images_seen);

// Removes what runs that died left behind. A failure is only a warning: these folders take space
// but mislead nobody.
void RemoveLeftovers(FileSystem& file_system, const std::string& checkpoints_folder);

// Renames a damaged checkpoint to the next free name with ".bad" and gives that name. Not synced:
// if the power fails and it is back, it is found damaged again.
absl::StatusOr<std::string> Quarantine(FileSystem& file_system,
                                       const std::string& checkpoints_folder,
                                       const std::string& name);

}  // namespace langevin::checkpoint

#endif  // LANGEVIN_CORE_CHECKPOINT_FOLDERS_H_
