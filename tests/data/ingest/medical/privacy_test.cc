#include "data/ingest/medical/privacy.h"

#include <sys/stat.h>

#include <string>

#include "core/base/file_system.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace langevin::data {
namespace {

using ::testing::HasSubstr;

class PrivacyTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = ::testing::TempDir() + "privacy_test";
    ASSERT_TRUE(PosixFileSystem().RemoveTree(folder_).ok());
    ASSERT_TRUE(PosixFileSystem().CreateFolders(folder_).ok());
  }
  std::string folder_;
};

TEST_F(PrivacyTest, ASaltIsMadeOnceAndOnlyItsOwnerMayReadIt) {
  const std::string output = folder_ + "/data";
  EXPECT_TRUE(absl::IsNotFound(ReadSalt({}, output).status()));
  const auto salt = ReadOrMakeSalt({}, output);
  ASSERT_TRUE(salt.ok()) << salt.status();
  EXPECT_EQ(salt->size(), 32);
  struct stat info;
  ASSERT_EQ(stat((output + ".salt").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600);
  EXPECT_EQ(*ReadOrMakeSalt({}, output), *salt);
  EXPECT_NE(*ReadOrMakeSalt({}, output + "2"), *salt);
}

TEST_F(PrivacyTest, ASaltThatIsNoSecretIsRefused) {
  const std::string path = folder_ + "/salt";
  ASSERT_TRUE(PosixFileSystem().WriteFile(path, "short").ok());
  chmod(path.c_str(), 0600);
  EXPECT_THAT(std::string(ReadOrMakeSalt({.salt_file = path}, "x").status().message()),
              HasSubstr("can be guessed"));
  ASSERT_TRUE(PosixFileSystem().WriteFile(path, std::string(32, 's')).ok());
  EXPECT_EQ(*ReadOrMakeSalt({.salt_file = path}, "x"), std::string(32, 's'));
  chmod(path.c_str(), 0644);
  EXPECT_THAT(std::string(ReadOrMakeSalt({.salt_file = path}, "x").status().message()),
              HasSubstr("chmod 600"));
  // One that was named is never made: a typing error would change all groups.
  EXPECT_TRUE(absl::IsNotFound(ReadOrMakeSalt({.salt_file = path + "x"}, "x").status()));
}

TEST_F(PrivacyTest, PseudonymsDependOnTheSecretAndThePurpose) {
  const Privacy one("sixteen bytes and more"), other("another sixteen bytes");
  const std::string name = one.Pseudonym(kPatientPurpose, "4711");
  EXPECT_EQ(name.size(), 16);
  EXPECT_EQ(name, one.Pseudonym(kPatientPurpose, "4711"));
  EXPECT_NE(name, one.Pseudonym(kSeriesPurpose, "4711"));
  EXPECT_NE(name, one.Pseudonym(kPatientPurpose, "4712"));
  EXPECT_NE(name, other.Pseudonym(kPatientPurpose, "4711"));
  EXPECT_EQ(one.Pseudonym(kPatientPurpose, ""), "");
}

TEST_F(PrivacyTest, SafeNamesHoldNoPath) {
  const Privacy privacy("sixteen bytes and more");
  EXPECT_EQ(SafeFileName(privacy, "/in/Doe^Jane.dcm").size(), std::string("file ").size() + 16);
  EXPECT_EQ(SafeImageName({.series = "3f2a90c1b7e4d852"}, 12), "series 3f2a90c1b7e4d852, slice 12");
  EXPECT_EQ(SafeImageName({}, 0), "image 0");
}

}  // namespace
}  // namespace langevin::data
