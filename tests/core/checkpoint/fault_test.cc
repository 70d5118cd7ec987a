// A full disk and failing operations, at every operation of a save on any rank.
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/checkpoint/checkpoint.h"
#include "gtest/gtest.h"
#include "tests/core/checkpoint/test_state.h"
#include "tests/testing/fault_file_system.h"

namespace langevin::checkpoint {
namespace {

constexpr char kRun[] = "/run";
constexpr char kCheckpoints[] = "/run/checkpoints";

// A run with checkpoints 100 and 200.
void Prepare(FaultFileSystem& files, int ranks) {
  ASSERT_TRUE(files.CreateFolders(kRun).ok());
  for (const int64_t images_seen : {100, 200}) {
    ASSERT_TRUE(SaveState(files, ranks, kRun, images_seen, /*keep=*/2).ok());
  }
}

bool HasTemporaryFolder(FileSystem& files) {
  const std::vector<std::string> names = files.List(kCheckpoints).value();
  for (const std::string& name : names) {
    if (name.starts_with('.')) return true;
  }
  return false;
}

// What must hold after the third save has returned `status` on all ranks.
void CheckAftermath(FaultFileSystem& files, int ranks, const absl::Status& status,
                    absl::StatusCode injected) {
  files.Restart();
  if (status.ok()) {
    // The operation was about old checkpoints, or none of the save's own.
    EXPECT_EQ(NewestState(files, ranks, kRun).value_or(-2), 300);
  } else {
    EXPECT_EQ(status.code(), injected) << status;
    EXPECT_TRUE(absl::StartsWith(status.message(), "/run/checkpoints/images-000000000300: "))
        << status;
    EXPECT_FALSE(HasTemporaryFolder(files));
    EXPECT_EQ(NewestState(files, ranks, kRun).value_or(-2), 200);
    EXPECT_TRUE(FindForReading(files, "/run/checkpoints/images-000000000100").ok());
  }
  ASSERT_TRUE(SaveState(files, ranks, kRun, 300, /*keep=*/2).ok());
  files.CutPower(std::nullopt);
  EXPECT_EQ(NewestState(files, ranks, kRun).value_or(-2), 300);
}

class FaultTest : public testing::TestWithParam<int> {};

TEST_P(FaultTest, AnErrorAnywhereFailsAllRanksAndHarmsNothing) {
  const int ranks = GetParam();
  int64_t first, last;
  {
    FaultFileSystem files;
    Prepare(files, ranks);
    first = files.operations() + 1;
    ASSERT_TRUE(SaveState(files, ranks, kRun, 300, /*keep=*/2).ok());
    last = files.operations();
  }
  int refused = 0;
  for (const absl::StatusCode code :
       {absl::StatusCode::kResourceExhausted, absl::StatusCode::kDataLoss,
        absl::StatusCode::kPermissionDenied}) {
    for (int64_t operation = first; operation <= last; ++operation) {
      FaultFileSystem files;
      Prepare(files, ranks);
      files.FailAt(operation, code);
      const absl::Status status = SaveState(files, ranks, kRun, 300, /*keep=*/2);
      SCOPED_TRACE(
          absl::StrCat(files.log()[operation - 1], " fails with ", absl::StatusCodeToString(code)));
      refused += !status.ok();
      CheckAftermath(files, ranks, status, code);
      // Whatever writes must have been noticed.
      const std::string log = files.log()[operation - 1];
      for (const char* action : {"New", "Append", "Sync", "Close", "Create", "Rename"}) {
        EXPECT_FALSE(log.starts_with(action) && status.ok());
      }
    }
  }
  EXPECT_GT(refused, 3 * 10);
}

TEST_P(FaultTest, ADiskThatStaysFullHarmsNothing) {
  const int ranks = GetParam();
  int64_t first, last;
  {
    FaultFileSystem files;
    Prepare(files, ranks);
    first = files.operations() + 1;
    ASSERT_TRUE(SaveState(files, ranks, kRun, 300, /*keep=*/2).ok());
    last = files.operations();
  }
  for (int64_t operation = first; operation <= last; ++operation) {
    SCOPED_TRACE(operation);
    FaultFileSystem files;
    Prepare(files, ranks);
    files.FillDiskAt(operation);
    const absl::Status status = SaveState(files, ranks, kRun, 300, /*keep=*/2);
    if (!status.ok()) {
      // Trying again while it is full changes nothing.
      const absl::Status again = SaveState(files, ranks, kRun, 300, /*keep=*/2);
      EXPECT_TRUE(absl::IsResourceExhausted(again)) << again;
    }
    CheckAftermath(files, ranks, status, absl::StatusCode::kResourceExhausted);
  }
}

INSTANTIATE_TEST_SUITE_P(Ranks, FaultTest, testing::Values(1, 3));

TEST(FaultMessageTest, NamesTheCheckpointTheRankAndWhatToDo) {
  FaultFileSystem files;
  Prepare(files, 3);
  const int64_t first = files.operations() + 1;
  {
    FaultFileSystem other;
    Prepare(other, 3);
    ASSERT_TRUE(SaveState(other, 3, kRun, 300, 2).ok());
    const std::vector<std::string> log = other.log();
    for (size_t i = first; i < log.size(); ++i) {
      if (absl::StrContains(log[i], "Append") && absl::StrContains(log[i], "shard-00002")) {
        files.FailAt(static_cast<int64_t>(i) + 1, absl::StatusCode::kResourceExhausted);
        break;
      }
    }
  }
  const std::string message(SaveState(files, 3, kRun, 300, 2).message());
  for (const char* part : {"images-000000000300", "rank 2", "shard-00002", "make room"}) {
    EXPECT_TRUE(absl::StrContains(message, part)) << message;
  }
  EXPECT_FALSE(absl::StrContains(message, "\n"));
}

// A failed read must never be taken for a reason to remove something.
TEST(FaultRetentionTest, OldCheckpointsStayWhenTheyCannotBeLookedAt) {
  FaultFileSystem probe;
  Prepare(probe, 1);
  const int64_t first = probe.operations() + 1;
  ASSERT_TRUE(SaveState(probe, 1, kRun, 300, 3).ok());
  const int64_t last = probe.operations();
  for (int64_t operation = first; operation <= last; ++operation) {
    FaultFileSystem files;
    Prepare(files, 1);
    files.FailAt(operation, absl::StatusCode::kDataLoss);
    SaveState(files, 1, kRun, 300, /*keep=*/3).IgnoreError();
    files.Restart();
    for (const char* name :
         {"/run/checkpoints/images-000000000100", "/run/checkpoints/images-000000000200"}) {
      EXPECT_TRUE(FindForReading(files, name).ok()) << files.log()[operation - 1];
    }
  }
}

}  // namespace
}  // namespace langevin::checkpoint
