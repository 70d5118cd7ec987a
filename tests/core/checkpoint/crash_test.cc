// Power cuts and kills at every operation. The oracle is the promise itself: what was acknowledged
// is there afterwards, with the same bytes, or something newer that is whole.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/checkpoint/checkpoint.h"
#include "gtest/gtest.h"
#include "tests/core/checkpoint/test_state.h"
#include "tests/testing/fault_file_system.h"

namespace langevin::checkpoint {
namespace {

constexpr char kRun[] = "/run";

// What is left of unsynced data when the process has died.
enum class Aftermath { kAllStays, kAllIsLost, kSomeStays };

// A file system with an empty, durable run folder.
struct Disk {
  Disk() {
    EXPECT_TRUE(files.CreateFolders(kRun).ok());
    first_operation = files.operations() + 1;
  }
  FaultFileSystem files;
  int64_t first_operation = 0;
};

// Saves at 100, 200 and 300 and gives the last one that was acknowledged, -1 if none.
int64_t SaveThree(FileSystem& files, int ranks, int keep) {
  int64_t acknowledged = -1;
  for (const int64_t images_seen : {100, 200, 300}) {
    if (!SaveState(files, ranks, kRun, images_seen, keep).ok()) break;
    acknowledged = images_seen;
  }
  return acknowledged;
}

struct CrashCase {
  int ranks;
  int keep;
  Aftermath aftermath;
  uint64_t seeds;  // How many random aftermaths of each crash.
};

class CrashTest : public testing::TestWithParam<CrashCase> {};

TEST_P(CrashTest, NothingAcknowledgedIsLost) {
  const auto [ranks, keep, aftermath, seeds] = GetParam();
  int64_t last_operation;
  {
    Disk disk;
    ASSERT_EQ(SaveThree(disk.files, ranks, keep), 300);
    last_operation = disk.files.operations();
  }
  // The last one is past the end: the crash comes after all three were acknowledged.
  for (int64_t crash = Disk().first_operation; crash <= last_operation + 1; ++crash) {
    for (uint64_t seed = 0; seed < seeds; ++seed) {
      SCOPED_TRACE(absl::StrCat("crash at operation ", crash, ", aftermath ", seed));
      Disk disk;
      disk.files.DieAt(crash);
      const int64_t acknowledged = SaveThree(disk.files, ranks, keep);
      const std::string operation = disk.files.log()[std::min(crash, last_operation) - 1];
      disk.files.Restart();
      if (aftermath == Aftermath::kAllIsLost) disk.files.CutPower(std::nullopt);
      if (aftermath == Aftermath::kSomeStays) disk.files.CutPower(seed * 100000 + crash);

      // The next run may have another number of ranks.
      const absl::StatusOr<int64_t> newest = NewestState(disk.files, ranks % 3 + 1, kRun);
      ASSERT_TRUE(newest.ok()) << operation << ": " << newest.status();
      ASSERT_GE(*newest, acknowledged) << operation;
      // What it then acknowledges must stay, too, whatever the crash left half done.
      ASSERT_TRUE(SaveState(disk.files, ranks, kRun, 400, keep).ok()) << operation;
      disk.files.CutPower(std::nullopt);
      const absl::StatusOr<int64_t> next = NewestState(disk.files, ranks, kRun);
      ASSERT_TRUE(next.ok()) << operation << ": " << next.status();
      ASSERT_EQ(*next, 400) << operation;
    }
  }
}

std::string NameOfCase(const testing::TestParamInfo<CrashCase>& info) {
  constexpr const char* kNames[] = {"AllStays", "AllIsLost", "SomeStays"};
  return absl::StrCat(info.param.ranks, "Ranks", "Keep", info.param.keep,
                      kNames[static_cast<int>(info.param.aftermath)]);
}

INSTANTIATE_TEST_SUITE_P(All, CrashTest,
                         testing::Values(CrashCase{1, 1, Aftermath::kAllStays, 1},
                                         CrashCase{1, 1, Aftermath::kAllIsLost, 1},
                                         CrashCase{1, 1, Aftermath::kSomeStays, 12},
                                         CrashCase{1, 2, Aftermath::kSomeStays, 4},
                                         CrashCase{3, 2, Aftermath::kAllStays, 1},
                                         CrashCase{3, 2, Aftermath::kAllIsLost, 1},
                                         CrashCase{3, 1, Aftermath::kSomeStays, 6}),
                         NameOfCase);

// Where the crash came before the rename was synced, the next run may find the checkpoint and be
// asked to save it again. Saying that it exists is an acknowledgement.
TEST(CrashOfOneSaveTest, ACheckpointThatExistsIsAcknowledgedOnlyWhenDurable) {
  for (const int ranks : {1, 3}) {
    int64_t last_operation;
    {
      Disk disk;
      ASSERT_TRUE(SaveState(disk.files, ranks, kRun, 100, /*keep=*/2).ok());
      last_operation = disk.files.operations();
    }
    for (int64_t crash = Disk().first_operation; crash <= last_operation; ++crash) {
      Disk disk;
      disk.files.DieAt(crash);
      SaveState(disk.files, ranks, kRun, 100, /*keep=*/2).IgnoreError();
      const std::string operation = disk.files.log()[crash - 1];
      disk.files.Restart();
      ASSERT_TRUE(SaveState(disk.files, ranks, kRun, 100, /*keep=*/2).ok()) << operation;
      disk.files.CutPower(std::nullopt);
      const absl::StatusOr<int64_t> newest = NewestState(disk.files, 1, kRun);
      ASSERT_TRUE(newest.ok()) << operation << ": " << newest.status();
      ASSERT_EQ(*newest, 100) << operation;
    }
  }
}

// The crash tests would pass on a disk that loses nothing. This shows that each sync of a save is
// needed on ours: with any one of them left out, an acknowledged checkpoint is lost.
TEST(CrashTestItself, FindsEveryMissingSync) {
  for (const int ranks : {1, 3}) {
    std::vector<int64_t> syncs;
    {
      Disk disk;
      ASSERT_TRUE(SaveState(disk.files, ranks, kRun, 100, /*keep=*/2).ok());
      const std::vector<std::string> log = disk.files.log();
      for (int64_t i = disk.first_operation; i <= static_cast<int64_t>(log.size()); ++i) {
        if (log[i - 1].starts_with("Sync")) syncs.push_back(i);
      }
    }
    // Shards, MANIFEST, temporary folder, checkpoints/, and the run folder.
    ASSERT_EQ(syncs.size(), ranks + 4);
    for (const int64_t sync : syncs) {
      Disk disk;
      disk.files.IgnoreSyncAt(sync);
      ASSERT_TRUE(SaveState(disk.files, ranks, kRun, 100, /*keep=*/2).ok());
      disk.files.CutPower(std::nullopt);
      const absl::StatusOr<int64_t> newest = NewestState(disk.files, 1, kRun);
      EXPECT_NE(newest.value_or(-1), 100) << disk.files.log()[sync - 1];
    }
  }
}

TEST(CrashTestItself, FindsADiskThatIgnoresAllSyncs) {
  for (const bool ignore_files : {true, false}) {
    Disk disk;
    if (ignore_files) {
      disk.files.IgnoreFileSyncs();
    } else {
      disk.files.IgnoreFolderSyncs();
    }
    ASSERT_EQ(SaveThree(disk.files, /*ranks=*/1, /*keep=*/2), 300);
    disk.files.CutPower(std::nullopt);
    EXPECT_NE(NewestState(disk.files, 1, kRun).value_or(-1), 300);
  }
}

}  // namespace
}  // namespace langevin::checkpoint
