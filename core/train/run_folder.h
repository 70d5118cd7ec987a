// RUN on disk: whose it is, and where in it a run goes on.
#ifndef LANGEVIN_CORE_TRAIN_RUN_FOLDER_H_
#define LANGEVIN_CORE_TRAIN_RUN_FOLDER_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "configs/run_config.h"
#include "core/base/file_system.h"
#include "core/checkpoint/checkpoint.h"

namespace langevin::train {

enum class Resume { kAuto, kNever, kMust };

// Checks that `folder` may be this run's: it is not there, empty, or has a config.textproto that
// makes the same weights. FailedPrecondition: another run's, or with Resume::kNever one that has
// checkpoints; AlreadyExists: something else is in it; NotFound: Resume::kMust and no checkpoints.
// Changes nothing.
absl::Status CheckRunFolder(FileSystem& file_system, const std::string& folder,
                            const configs::RunConfig& config, Resume resume);

// Creates the folder, checks that files can be written there, and writes config.textproto.
absl::Status OpenRunFolder(FileSystem& file_system, const std::string& folder,
                           const configs::RunConfig& config);

// FailedPrecondition if the checkpoint is not one of this run on these data.
absl::Status CheckCheckpointFits(const checkpoint::Found& found, const configs::RunConfig& config,
                                 const std::string& data_fingerprint);

}  // namespace langevin::train

#endif  // LANGEVIN_CORE_TRAIN_RUN_FOLDER_H_
