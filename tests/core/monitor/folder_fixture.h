// A test with an empty folder of its own, in memory, on a disk that can be full.
#ifndef LANGEVIN_TESTS_CORE_MONITOR_FOLDER_FIXTURE_H_
#define LANGEVIN_TESTS_CORE_MONITOR_FOLDER_FIXTURE_H_

#include <string>

#include "core/base/file_system.h"
#include "gtest/gtest.h"
#include "tests/testing/fault_file_system.h"

namespace langevin::monitor {

class FolderFixture : public testing::Test {
 protected:
  FolderFixture() { EXPECT_TRUE(files_.CreateFolders(folder_).ok()); }

  std::string Path(const std::string& name) const { return JoinPath(folder_, name); }
  std::string Contents(const std::string& name) {
    const auto contents = files_.ReadFile(Path(name));
    EXPECT_TRUE(contents.ok()) << contents.status();
    return contents.value_or("");
  }
  void Write(const std::string& name, const std::string& contents) {
    EXPECT_TRUE(files_.WriteFileDurably(Path(name), contents).ok());
  }

  void FillDisk() { files_.FillDiskAt(files_.operations() + 1); }
  void MakeRoom() { files_.Restart(); }

  FaultFileSystem files_;
  const std::string folder_ = "/run";
};

}  // namespace langevin::monitor

#endif  // LANGEVIN_TESTS_CORE_MONITOR_FOLDER_FIXTURE_H_
