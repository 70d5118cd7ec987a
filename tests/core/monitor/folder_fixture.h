// A test with an empty folder of its own, removed afterwards.
#ifndef LANGEVIN_TESTS_CORE_MONITOR_FOLDER_FIXTURE_H_
#define LANGEVIN_TESTS_CORE_MONITOR_FOLDER_FIXTURE_H_

#include <unistd.h>

#include <string>

#include "core/base/file_system.h"
#include "gtest/gtest.h"
#include "tests/core/monitor/fault_file_system.h"

namespace langevin::monitor {

class FolderFixture : public testing::Test {
 protected:
  FolderFixture() : folder_(testing::TempDir() + "monitor_test_" + std::to_string(getpid())) {
    EXPECT_TRUE(files_.RemoveTree(folder_).ok());
    EXPECT_TRUE(files_.CreateFolders(folder_).ok());
  }
  ~FolderFixture() override { files_.RemoveTree(folder_).IgnoreError(); }

  std::string Path(const std::string& name) const { return JoinPath(folder_, name); }
  std::string Contents(const std::string& name) {
    const auto contents = files_.ReadFile(Path(name));
    EXPECT_TRUE(contents.ok()) << contents.status();
    return contents.value_or("");
  }
  void Write(const std::string& name, const std::string& contents) {
    EXPECT_TRUE(files_.WriteFileDurably(Path(name), contents).ok());
  }

  FaultFileSystem files_;
  const std::string folder_;
};

}  // namespace langevin::monitor

#endif  // LANGEVIN_TESTS_CORE_MONITOR_FOLDER_FIXTURE_H_
