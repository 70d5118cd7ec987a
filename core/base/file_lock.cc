#include "core/base/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace langevin {
namespace {

// A process that was killed may have forked a moment before: its child has the lock until it is
// killed too, or closes what it does not need.
constexpr int kAttempts = 100;
constexpr useconds_t kMicrosecondsBetween = 10'000;

bool TryLock(int descriptor) {
  return flock(descriptor, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK;
}

}  // namespace

absl::StatusOr<std::unique_ptr<FileLock>> FileLock::Take(const std::string& path) {
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (descriptor < 0) {
    return absl::PermissionDeniedError(
        absl::StrCat(path, ": cannot be opened (", std::strerror(errno), ")"));
  }
  auto lock = absl::WrapUnique(new FileLock(descriptor));
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    if (attempt > 0) usleep(kMicrosecondsBetween);
    if (TryLock(descriptor)) return lock;
  }
  return absl::FailedPreconditionError(
      absl::StrCat(path, ": another process is at work here; wait for it, or end it"));
}

FileLock::~FileLock() { close(descriptor_); }

}  // namespace langevin
