// The tests of checkpoints believe this file system: it must lose what it says it loses.
#include "tests/testing/fault_file_system.h"

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "gtest/gtest.h"

namespace langevin {
namespace {

void Write(FileSystem& files, const std::string& path, std::string_view text, bool sync) {
  auto file = files.NewWritableFile(path);
  ASSERT_TRUE(file.ok());
  ASSERT_TRUE((*file)->Append(text).ok());
  ASSERT_TRUE(!sync || (*file)->Sync().ok());
  ASSERT_TRUE((*file)->Close().ok());
}

TEST(FaultFileSystemTest, WithoutFaultsItIsAFileSystem) {
  FaultFileSystem files;
  ASSERT_TRUE(files.CreateFolders("/a/b").ok());
  ASSERT_TRUE(files.WriteFileDurably("/a/b/file", "one").ok());
  EXPECT_EQ(*files.ReadFile("/a/b/file"), "one");
  EXPECT_EQ(*files.List("/a/b"), std::vector<std::string>{"file"});
  EXPECT_TRUE(absl::IsAlreadyExists(files.RemoveEmptyFolder("/a/b")));
  ASSERT_TRUE(files.Rename("/a/b/file", "/a/moved").ok());
  EXPECT_TRUE(absl::IsNotFound(files.ReadFile("/a/b/file").status()));
  EXPECT_EQ(*files.ReadFile("/a/moved"), "one");
  ASSERT_TRUE(files.RemoveTree("/a").ok());
  EXPECT_FALSE(files.Exists("/a"));
}

TEST(FaultFileSystemTest, APowerCutTakesWhatWasNotSynced) {
  FaultFileSystem files;
  ASSERT_TRUE(files.CreateFolders("/a").ok());
  Write(files, "/a/both", "text", /*sync=*/true);
  Write(files, "/a/name_only", "text", /*sync=*/false);
  ASSERT_TRUE(files.SyncFolder("/a").ok());
  Write(files, "/a/data_only", "text", /*sync=*/true);
  files.CutPower(std::nullopt);
  EXPECT_EQ(*files.List("/a"), (std::vector<std::string>{"both", "name_only"}));
  EXPECT_EQ(*files.ReadFile("/a/both"), "text");
  EXPECT_EQ(*files.ReadFile("/a/name_only"), "");
}

TEST(FaultFileSystemTest, APowerCutUndoesRenamesAndRemovals) {
  FaultFileSystem files;
  ASSERT_TRUE(files.WriteFileDurably("/old", "old").ok());
  ASSERT_TRUE(files.WriteFileDurably("/other", "other").ok());
  ASSERT_TRUE(files.Rename("/other", "/old").ok());
  EXPECT_EQ(*files.ReadFile("/old"), "other");
  files.CutPower(std::nullopt);
  EXPECT_EQ(*files.ReadFile("/old"), "old");
  EXPECT_EQ(*files.ReadFile("/other"), "other");
  ASSERT_TRUE(files.RemoveFile("/old").ok());
  files.CutPower(std::nullopt);
  EXPECT_TRUE(files.Exists("/old"));
}

TEST(FaultFileSystemTest, RandomPowerCutsGiveOldNewAndTornData) {
  std::set<std::string> contents;
  for (uint64_t seed = 0; seed < 300; ++seed) {
    FaultFileSystem files;
    ASSERT_TRUE(files.WriteFileDurably("/file", "old").ok());
    Write(files, "/file", "new!", /*sync=*/false);
    Write(files, "/fresh", "x", /*sync=*/false);
    files.CutPower(seed);
    contents.insert(*files.ReadFile("/file"));
    contents.insert(files.Exists("/fresh") ? "fresh there" : "fresh gone");
  }
  for (const std::string& text :
       {std::string("old"), std::string("new!"), std::string("ne"), std::string("n\0\0\0", 4),
        std::string("n\0w!", 4), std::string("fresh there"), std::string("fresh gone")}) {
    EXPECT_TRUE(contents.contains(text)) << text;
  }
}

TEST(FaultFileSystemTest, AKilledProcessLeavesTheCacheBehind) {
  FaultFileSystem files;
  auto file = files.NewWritableFile("/file");
  ASSERT_TRUE((*file)->Append("1234").ok());
  files.DieAt(files.operations() + 1);
  EXPECT_TRUE(absl::IsUnavailable((*file)->Append("5678")));
  EXPECT_TRUE(absl::IsUnavailable((*file)->Append("9")));
  EXPECT_TRUE(absl::IsUnavailable(files.RemoveFile("/file")));
  files.Restart();
  EXPECT_EQ(*files.ReadFile("/file"), "123456");  // Half of the append in which it died.
}

TEST(FaultFileSystemTest, ASecondSyncAfterAFailedOneLies) {
  FaultFileSystem files;
  auto file = files.NewWritableFile("/file");
  ASSERT_TRUE(files.SyncFolder("/").ok());
  ASSERT_TRUE((*file)->Append("text").ok());
  files.FailAt(files.operations() + 1, absl::StatusCode::kDataLoss);
  EXPECT_TRUE(absl::IsDataLoss((*file)->Sync()));
  EXPECT_TRUE((*file)->Sync().ok());
  files.CutPower(std::nullopt);
  EXPECT_EQ(*files.ReadFile("/file"), "");
}

}  // namespace
}  // namespace langevin
