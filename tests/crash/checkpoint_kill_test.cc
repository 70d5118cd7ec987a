// A process that saves checkpoints on the real file system is killed at random moments, again and
// again. Power cuts at every operation are in tests/core/checkpoint/crash_test.cc; this shows that
// the same holds for a real process, real threads and a real disk.
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/philox.h"
#include "core/checkpoint/checkpoint.h"
#include "gtest/gtest.h"
#include "tests/core/checkpoint/test_state.h"

namespace langevin::checkpoint {
namespace {

constexpr int kKills = 60;
constexpr int kRanks = 2;
constexpr uint32_t kLongestMilliseconds = 40;

// What a training does, without the training: goes on from the newest checkpoint and saves one
// after the other; writes the number of each that was acknowledged to `pipe`. Only ends when
// something is wrong.
[[noreturn]] void SaveUntilKilled(const std::string& run, int pipe) {
  const absl::StatusOr<int64_t> newest = NewestState(PosixFileSystem(), kRanks, run);
  if (!newest.ok()) {
    std::fprintf(stderr, "%s\n", newest.status().ToString().c_str());
    _exit(1);
  }
  for (int64_t images_seen = std::max<int64_t>(*newest, 0) + 64;; images_seen += 64) {
    const absl::Status saved = SaveState(PosixFileSystem(), kRanks, run, images_seen, /*keep=*/2);
    if (!saved.ok()) {
      std::fprintf(stderr, "%s\n", saved.ToString().c_str());
      _exit(2);
    }
    if (write(pipe, &images_seen, sizeof(images_seen)) != sizeof(images_seen)) _exit(3);
  }
}

void SleepMilliseconds(uint32_t milliseconds) {
  const timespec duration = {0, static_cast<long>(milliseconds) * 1000000};
  nanosleep(&duration, nullptr);
}

TEST(CheckpointKillTest, NothingAcknowledgedIsLost) {
  FileSystem& files = PosixFileSystem();
  const std::string run = absl::StrCat(testing::TempDir(), "checkpoint_kill_test_", getpid());
  ASSERT_TRUE(files.RemoveTree(run).ok());
  const RandomStream random(/*seed=*/11, /*position=*/0, RandomPurpose::kAugmentation);
  int64_t acknowledged = -1;
  for (int kill_number = 0; kill_number < kKills; ++kill_number) {
    SCOPED_TRACE(kill_number);
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      close(ends[0]);
      SaveUntilKilled(run, ends[1]);
    }
    close(ends[1]);
    // Every second time the child is let come to an acknowledgement first; otherwise it may be
    // killed while it is still looking for the newest.
    int64_t images_seen;
    if (kill_number % 2 == 0) {
      ASSERT_EQ(read(ends[0], &images_seen, sizeof(images_seen)), sizeof(images_seen));
      acknowledged = images_seen;
    }
    SleepMilliseconds(random.UniformInt(kill_number, kLongestMilliseconds));
    ASSERT_EQ(kill(child, SIGKILL), 0);
    int status;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
    while (read(ends[0], &images_seen, sizeof(images_seen)) == sizeof(images_seen)) {
      ASSERT_GT(images_seen, acknowledged);  // Nothing is done twice: it went on from the newest.
      acknowledged = images_seen;
    }
    close(ends[0]);

    const absl::StatusOr<Found> found = FindForReading(files, run);
    ASSERT_TRUE(found.ok()) << found.status();
    ASSERT_GE(found->metadata.images_seen, acknowledged);
    const absl::Status equal = CheckState(files, *found);
    ASSERT_TRUE(equal.ok()) << equal;
  }
  EXPECT_GE(acknowledged, 64 * kKills / 2);
  // One more start and save clean up what the kills left.
  const absl::StatusOr<int64_t> newest = NewestState(files, kRanks, run);
  ASSERT_TRUE(newest.ok()) << newest.status();
  ASSERT_TRUE(SaveState(files, kRanks, run, *newest + 64, /*keep=*/2).ok());
  EXPECT_EQ(files.List(JoinPath(run, "checkpoints")).value(),
            (std::vector<std::string>{FolderName(*newest), FolderName(*newest + 64)}));
  files.RemoveTree(run).IgnoreError();
}

}  // namespace
}  // namespace langevin::checkpoint
