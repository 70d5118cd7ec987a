// A folder beside the place where a result will be, that becomes the result by a rename.
#ifndef LANGEVIN_CORE_BASE_STAGING_FOLDER_H_
#define LANGEVIN_CORE_BASE_STAGING_FOLDER_H_

#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/file_system.h"

namespace langevin {

// Destroying it without Commit removes the folder with all in it. One thread at a time.
class StagingFolder {
 public:
  // Creates `target`.tmp-HOST-PID, and the folders above it. Cleans up what processes of this
  // machine that are gone have left there.
  static absl::StatusOr<std::unique_ptr<StagingFolder>> Create(FileSystem& file_system,
                                                               const std::string& target);
  ~StagingFolder();
  StagingFolder(const StagingFolder&) = delete;
  StagingFolder& operator=(const StagingFolder&) = delete;

  const std::string& path() const { return path_; }

  // Makes all that is in the folder durable, renames it to the target, and makes that durable too.
  // AlreadyExists if the target is there and is not an empty folder.
  absl::Status Commit();
  // As Commit, but a folder at the target makes place for the new one. There are two renames:
  // whoever dies between them has moved the old one aside, and the next Create brings it back.
  absl::Status CommitReplacing();

 private:
  StagingFolder(FileSystem& file_system, std::string target, std::string path)
      : file_system_(file_system), target_(std::move(target)), path_(std::move(path)) {}

  FileSystem& file_system_;
  const std::string target_;
  const std::string path_;
  bool committed_ = false;
};

}  // namespace langevin

#endif  // LANGEVIN_CORE_BASE_STAGING_FOLDER_H_
