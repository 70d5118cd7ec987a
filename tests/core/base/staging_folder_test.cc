// A folder that is replaced is at any moment the old one or the new one, whole.
#include "core/base/staging_folder.h"

#include "gmock/gmock.h"
#include "tests/testing/fault_file_system.h"

namespace langevin {
namespace {

using testing::ElementsAre;

class StagingFolderTest : public testing::Test {
 protected:
  StagingFolderTest() { EXPECT_TRUE(files_.CreateFolders("/out").ok()); }

  // Puts a folder at /out/result whose files hold `text`.
  absl::Status Replace(const std::string& text) {
    auto staging = StagingFolder::Create(files_, "/out/result");
    if (!staging.ok()) return staging.status();
    const std::string folder = (*staging)->path();
    absl::Status status = files_.WriteFile(JoinPath(folder, "a"), text);
    status.Update(files_.CreateFolder(JoinPath(folder, "deep")));
    status.Update(files_.WriteFile(JoinPath(folder, "deep/b"), text));
    if (!status.ok()) return status;
    return (*staging)->CommitReplacing();
  }

  std::string Result(const std::string& name) {
    return files_.ReadFile("/out/result/" + name).value_or("missing");
  }

  FaultFileSystem files_;
};

TEST_F(StagingFolderTest, WithoutCommitNothingIsLeft) {
  ASSERT_TRUE(StagingFolder::Create(files_, "/out/result").ok());
  EXPECT_THAT(*files_.List("/out"), ElementsAre());
}

TEST_F(StagingFolderTest, CommitReplacesNothing) {
  ASSERT_TRUE(Replace("old").ok());
  auto staging = StagingFolder::Create(files_, "/out/result");
  ASSERT_TRUE(staging.ok());
  EXPECT_TRUE(absl::IsAlreadyExists((*staging)->Commit()));
  EXPECT_EQ(Result("a"), "old");
}

TEST_F(StagingFolderTest, AnErrorAnywhereLeavesTheOldOrTheNew) {
  ASSERT_TRUE(Replace("old").ok());
  const int64_t before = files_.operations();
  ASSERT_TRUE(Replace("old").ok());
  const int64_t operations = files_.operations() - before;
  for (int64_t i = 1; i <= operations; ++i) {
    files_.FailAt(files_.operations() + i, absl::StatusCode::kDataLoss);
    const bool replaced = Replace("new").ok();
    const std::string a = Result("a");
    EXPECT_TRUE(a == "new" || (a == "old" && !replaced)) << "operation " << i << ": " << a;
    EXPECT_EQ(Result("deep/b"), a) << "operation " << i;
    files_.Restart();
    ASSERT_TRUE(Replace("old").ok());
    EXPECT_THAT(*files_.List("/out"), ElementsAre("result")) << "operation " << i;
  }
}

TEST_F(StagingFolderTest, ALossOfPowerAnywhereLeavesTheOldOrTheNew) {
  ASSERT_TRUE(Replace("old").ok());
  const int64_t before = files_.operations();
  ASSERT_TRUE(Replace("old").ok());
  const int64_t operations = files_.operations() - before;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    for (int64_t i = 1; i <= operations + 1; ++i) {
      files_.DieAt(files_.operations() + i);
      const bool acknowledged = Replace("new").ok();
      files_.CutPower(seed * 1000 + i);
      ASSERT_TRUE(StagingFolder::Create(files_, "/out/result").ok());  // Brings back, cleans up.
      const std::string a = Result("a");
      EXPECT_TRUE(a == "new" || (a == "old" && !acknowledged)) << "operation " << i << ": " << a;
      EXPECT_EQ(Result("deep/b"), a) << "operation " << i;
      EXPECT_THAT(*files_.List("/out"), ElementsAre("result")) << "operation " << i;
      ASSERT_TRUE(Replace("old").ok());
    }
  }
}

}  // namespace
}  // namespace langevin
