#include "core/base/file_system.h"

#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "gtest/gtest.h"

namespace langevin {
namespace {

class FileSystemTest : public testing::Test {
 protected:
  FileSystemTest() : folder_(testing::TempDir() + "file_system_test_" + std::to_string(getpid())) {
    EXPECT_TRUE(files_.RemoveTree(folder_).ok());
    EXPECT_TRUE(files_.CreateFolders(folder_).ok());
  }
  ~FileSystemTest() override { files_.RemoveTree(folder_).IgnoreError(); }

  std::string Path(const std::string& name) const { return JoinPath(folder_, name); }

  FileSystem& files_ = PosixFileSystem();
  const std::string folder_;
};

TEST_F(FileSystemTest, WhatIsWrittenIsRead) {
  ASSERT_TRUE(files_.WriteFileDurably(Path("a"), "one").ok());
  ASSERT_TRUE(files_.WriteFileDurably(Path("a"), "two").ok());
  EXPECT_EQ(*files_.ReadFile(Path("a")), "two");
  EXPECT_EQ(*files_.List(folder_), std::vector<std::string>{"a"});  // No temporary file is left.
}

TEST_F(FileSystemTest, AppendingGoesOnWhereTheFileEnds) {
  for (const char* text : {"one ", "two"}) {
    auto file = files_.NewAppendableFile(Path("log"));
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE((*file)->Append(text).ok());
    ASSERT_TRUE((*file)->Close().ok());
  }
  EXPECT_EQ(*files_.ReadFile(Path("log")), "one two");
  ASSERT_TRUE(files_.Truncate(Path("log"), 3).ok());
  EXPECT_EQ(*files_.ReadFile(Path("log")), "one");
}

TEST_F(FileSystemTest, OnlyRegularFilesAreRead) {
  ASSERT_EQ(symlink("/etc/hostname", Path("link").c_str()), 0);
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  for (const std::string& path : {Path("link"), Path("pipe"), folder_, std::string("/dev/zero")}) {
    const auto contents = files_.ReadFile(path);
    EXPECT_TRUE(absl::IsInvalidArgument(contents.status())) << path << ": " << contents.status();
  }
}

TEST_F(FileSystemTest, ErrorsNameThePathAndTheKind) {
  EXPECT_TRUE(absl::IsNotFound(files_.ReadFile(Path("missing")).status()));
  EXPECT_NE(files_.ReadFile(Path("missing")).status().message().find("missing"),
            absl::string_view::npos);
  ASSERT_TRUE(files_.WriteFileDurably(Path("long"), "0123456789").ok());
  EXPECT_TRUE(absl::IsInvalidArgument(files_.ReadFile(Path("long"), /*limit=*/9).status()));
  auto file = files_.OpenForReading(Path("long"));
  std::string buffer(5, ' ');
  EXPECT_TRUE(absl::IsDataLoss((*file)->ReadAt(6, std::as_writable_bytes(std::span(buffer)))));
  // /dev/full answers every write with ENOSPC.
  auto full = files_.NewWritableFile("/dev/full");
  ASSERT_TRUE(full.ok());
  EXPECT_TRUE(absl::IsResourceExhausted((*full)->Append("x")));
}

TEST_F(FileSystemTest, TreesAreRemovedWithoutFollowingLinks) {
  ASSERT_TRUE(files_.CreateFolders(Path("outside")).ok());
  ASSERT_TRUE(files_.WriteFileDurably(Path("outside/kept"), "x").ok());
  ASSERT_TRUE(files_.CreateFolders(Path("tree/deep/er")).ok());
  ASSERT_EQ(symlink(Path("outside").c_str(), Path("tree/link").c_str()), 0);
  ASSERT_TRUE(files_.RemoveTree(Path("tree")).ok());
  EXPECT_FALSE(files_.Exists(Path("tree")));
  EXPECT_TRUE(files_.Exists(Path("outside/kept")));
  EXPECT_TRUE(files_.RemoveTree(Path("tree")).ok());
}

TEST(PathTest, PartsOfPaths) {
  EXPECT_EQ(JoinPath("a/b", "c"), "a/b/c");
  EXPECT_EQ(JoinPath("a/", "c"), "a/c");
  EXPECT_EQ(JoinPath("", "c"), "c");
  EXPECT_EQ(ParentFolder("a/b/c/"), "a/b");
  EXPECT_EQ(ParentFolder("c"), ".");
  EXPECT_EQ(ParentFolder("/c"), "/");
  EXPECT_EQ(ParentFolder("/"), "/");
  EXPECT_EQ(BaseName("a/b/c/"), "c");
  EXPECT_EQ(BaseName("/"), "/");
}

}  // namespace
}  // namespace langevin
