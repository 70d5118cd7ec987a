// The folder beside a data set's place in which it is made, and which an interrupted preparation
// leaves for the next one.
//
//     OUTPUT.preparing/   journal     what is being made: a digest of inputs and options
//                         lock        held by the process that is at work
//                         stop        somebody was asked to stop: all ranks shall
//                         spool/      decoded images, one file for each chunk of the sources
//                         data/       the data set; becomes OUTPUT
#ifndef LANGEVIN_DATA_INGEST_PREPARATION_FOLDER_H_
#define LANGEVIN_DATA_INGEST_PREPARATION_FOLDER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/file_lock.h"
#include "core/base/file_system.h"
#include "core/base/group.h"

namespace langevin::data {

// One thread at a time, but for StopRequested and RequestStop.
class PreparationFolder {
 public:
  // All ranks together, with the same `target` and `key` (the digest). Takes up what an interrupted
  // preparation with the same key left, and removes what one with another key did.
  // FailedPrecondition: another process is at work there.
  static absl::StatusOr<std::unique_ptr<PreparationFolder>> Open(FileSystem& file_system,
                                                                 Group& group,
                                                                 const std::string& target,
                                                                 const std::string& key);

  // Removes what a preparation left that ended between its last two steps: `target` is complete.
  static absl::Status RemoveLeftover(FileSystem& file_system, const std::string& target);

  const std::string& key() const { return key_; }
  // Whether there is something of an earlier preparation. Known on rank 0.
  bool goes_on() const { return goes_on_; }
  std::string SpoolPath(int64_t chunk) const;
  std::string DataPath() const;

  // Whether any rank wants all to stop.
  bool StopRequested() const;
  void RequestStop();

  // Rank 0: makes the data set durable under the target's name, and removes all else.
  absl::Status Commit();
  // Rank 0: removes the folder.
  absl::Status Discard();

 private:
  PreparationFolder(FileSystem& file_system, std::string target, std::string key);
  absl::Status TakeUp();

  FileSystem& file_system_;
  const std::string target_;
  const std::string path_;
  const std::string key_;
  bool goes_on_ = false;
  std::unique_ptr<FileLock> lock_;  // On rank 0.
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_PREPARATION_FOLDER_H_
