// A data set with new images behind those of another: --append.
#include <sys/stat.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "data/ingest/prepare_job.h"
#include "tests/data/testing.h"

namespace langevin::data {
namespace {

class AppendTest : public DataTest {
 protected:
  absl::StatusOr<std::string> Prepare(const std::string& input, const std::string& output,
                                      const std::string& parent = "", double fraction = 0.3) {
    PrepareOptions options = {.inputs = {Path(input)}, .output = Path(output), .workers = 2};
    if (!parent.empty()) options.append_to = Path(parent);
    options.config.split.validation_fraction = fraction;
    return PrepareDataset(files_, SingleProcess(), options);
  }

  void WriteImages(const std::string& folder, int begin, int end) {
    for (int i = begin; i < end; ++i) {
      Write(absl::StrCat(folder, i % 2 == 0 ? "/a/" : "/b/", i, ".png"), MakeTestPng(6, 5, 1, i));
    }
  }

  ino_t Inode(const std::string& name) {
    struct stat info = {};
    EXPECT_EQ(stat(Path(name).c_str(), &info), 0) << name;
    return info.st_ino;
  }

  // All images of a split, by their first bytes.
  std::vector<std::string> Images(const std::string& folder, Split split) {
    std::vector<std::string> images;
    const auto dataset = Dataset::Open(files_, Path(folder), split);
    EXPECT_TRUE(dataset.ok()) << dataset.status();
    for (int64_t i = 0; dataset.ok() && i < (*dataset)->size(); ++i) {
      std::vector<std::byte> pixels(30);
      EXPECT_TRUE((*dataset)->ReadImage(i, true, pixels).ok());
      images.push_back(absl::StrCat((*dataset)->label(i), ":") +
                       std::string(reinterpret_cast<const char*>(pixels.data()), pixels.size()));
    }
    return images;
  }
};

TEST_F(AppendTest, OldShardsAreTheSameFilesAndComeFirst) {
  WriteImages("in", 0, 40);
  ASSERT_TRUE(Prepare("in", "v1").ok());
  WriteImages("in", 40, 70);  // The same folder has grown.
  const auto text = Prepare("in", "v2", "v1");
  ASSERT_TRUE(text.ok()) << text.status();
  const auto v1 = ReadManifest(files_, Path("v1")), v2 = ReadManifest(files_, Path("v2"));
  ASSERT_TRUE(v1.ok() && v2.ok());
  EXPECT_EQ(v2->version, 2);
  EXPECT_EQ(v2->parent, v1->fingerprint);
  EXPECT_NE(v2->fingerprint, v1->fingerprint);
  EXPECT_EQ(Inode("v2/train-00000-of-00002.h5"), Inode("v1/train-00000-of-00001.h5"));
  int64_t total = 0;
  for (const Split split : {Split::kTrain, Split::kValidation}) {
    const auto before = Images("v1", split), after = Images("v2", split);
    ASSERT_GE(after.size(), before.size());
    // No image has changed its place, and so none its split.
    EXPECT_TRUE(std::equal(before.begin(), before.end(), after.begin()));
    total += static_cast<int64_t>(after.size());
  }
  EXPECT_EQ(total, 70);
  // Splits are those of all files at once.
  ASSERT_TRUE(Prepare("in", "whole").ok());
  for (const Split split : {Split::kTrain, Split::kValidation}) {
    auto whole = Images("whole", split), appended = Images("v2", split);
    std::sort(whole.begin(), whole.end());
    std::sort(appended.begin(), appended.end());
    EXPECT_EQ(whole, appended);
  }
}

TEST_F(AppendTest, NewClassesComeBehindAndNewFilesMayLieElsewhere) {
  WriteImages("in", 0, 20);
  ASSERT_TRUE(Prepare("in", "v1").ok());
  for (int i = 0; i < 20; ++i) {
    Write(absl::StrCat("more/aa/", i, ".png"), MakeTestPng(6, 5, 1, 100 + i));
    Write(absl::StrCat("more/b/", i, ".png"), MakeTestPng(6, 5, 1, 200 + i));
  }
  const auto text = Prepare("more", "v2", "v1");
  ASSERT_TRUE(text.ok()) << text.status();
  const auto manifest = ReadManifest(files_, Path("v2"));
  ASSERT_TRUE(manifest.ok());
  EXPECT_EQ(manifest->class_names, (std::vector<std::string>{"a", "b", "aa"}));
  const auto third = Prepare("more", "v3", "v2");
  EXPECT_TRUE(absl::IsInvalidArgument(third.status())) << third.status();
  EXPECT_NE(third.status().message().find("nothing new"), absl::string_view::npos);
}

TEST_F(AppendTest, OneNewImageIsEnough) {
  WriteImages("in", 0, 40);
  ASSERT_TRUE(Prepare("in", "v1").ok());
  WriteImages("in", 40, 41);
  const auto text = Prepare("in", "v2", "v1");
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(Images("v2", Split::kTrain).size() + Images("v2", Split::kValidation).size(), 41);
}

TEST_F(AppendTest, WhatDoesNotFitIsRefused) {
  WriteImages("in", 0, 20);
  ASSERT_TRUE(Prepare("in", "v1").ok());
  EXPECT_TRUE(absl::IsInvalidArgument(Prepare("in", "v2", "v1", /*fraction=*/0.5).status()));
  for (int i = 0; i < 9; ++i) Write(absl::StrCat("large/a/", i, ".png"), MakeTestPng(7, 5, 1, i));
  const auto text = Prepare("large", "v2", "v1");
  EXPECT_TRUE(absl::IsInvalidArgument(text.status())) << text.status();
  EXPECT_TRUE(absl::IsNotFound(Prepare("in", "v2", "nothing").status()));
  EXPECT_FALSE(files_.Exists(Path("v2")));
}

}  // namespace
}  // namespace langevin::data
