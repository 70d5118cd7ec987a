#include "core/base/file_lock.h"

#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace langevin {
namespace {

using testing::HasSubstr;

class FileLockTest : public testing::Test {
 protected:
  ~FileLockTest() override { unlink(path_.c_str()); }

  const std::string path_ = testing::TempDir() + "file_lock_test." + std::to_string(getpid());
};

TEST_F(FileLockTest, KeepsOthersOutUntilItIsGone) {
  absl::StatusOr<std::unique_ptr<FileLock>> first = FileLock::Take(path_);
  ASSERT_TRUE(first.ok()) << first.status();
  const absl::Status second = FileLock::Take(path_).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(second));
  EXPECT_THAT(std::string(second.message()), HasSubstr("another process is at work here"));
  first->reset();
  EXPECT_TRUE(FileLock::Take(path_).ok());
}

// As prepare's decoding processes may, for a moment, when prepare is killed.
TEST_F(FileLockTest, WaitsForTheChildrenOfAProcessThatIsGone) {
  const pid_t owner = fork();
  if (owner == 0) {
    const auto lock = FileLock::Take(path_);
    if (fork() == 0) usleep(200'000);  // With the descriptor of the lock.
    _exit(lock.ok() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(owner, &status, 0), owner);
  ASSERT_EQ(status, 0);
  const auto lock = FileLock::Take(path_);
  EXPECT_TRUE(lock.ok()) << lock.status();
}

}  // namespace
}  // namespace langevin
