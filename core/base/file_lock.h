// A lock that the kernel takes away from a process that is gone: who works in a folder, now.
#ifndef LANGEVIN_CORE_BASE_FILE_LOCK_H_
#define LANGEVIN_CORE_BASE_FILE_LOCK_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace langevin {

// Destroying it frees the lock; the file stays. Not thread-safe.
class FileLock {
 public:
  // Creates `path` if it is not there. FailedPrecondition: another process has the lock and keeps
  // it for a second. File systems without locks give one that keeps nobody out.
  static absl::StatusOr<std::unique_ptr<FileLock>> Take(const std::string& path);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;

 private:
  explicit FileLock(int descriptor) : descriptor_(descriptor) {}
  const int descriptor_;
};

}  // namespace langevin

#endif  // LANGEVIN_CORE_BASE_FILE_LOCK_H_
