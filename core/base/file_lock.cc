#include "core/base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace langevin {

absl::StatusOr<std::unique_ptr<FileLock>> FileLock::Take(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (descriptor < 0) {
    return absl::PermissionDeniedError(
        absl::StrCat(path, ": cannot be opened (", std::strerror(errno), ")"));
  }
  auto lock = absl::WrapUnique(new FileLock(descriptor));
  if (flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ": another process is at work here; wait for it, or end it"));
  }
  return lock;
}

FileLock::~FileLock() { close(descriptor_); }

}  // namespace langevin
