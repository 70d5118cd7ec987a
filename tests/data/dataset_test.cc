#include "data/dataset.h"

#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_replace.h"
#include "core/base/crc32c.h"
#include "data/describe.h"
#include "tests/data/testing.h"

namespace langevin::data {
namespace {

class DatasetTest : public DataTest {
 protected:
  // DataLoss that names `file`.
  void ExpectDamaged(const std::string& file) {
    const auto dataset = Dataset::Open(files_, Path("data"), Split::kTrain);
    EXPECT_TRUE(absl::IsDataLoss(dataset.status())) << dataset.status();
    EXPECT_NE(dataset.status().message().find(file), absl::string_view::npos) << dataset.status();
  }
};

TEST_F(DatasetTest, EveryNumberComesBack) {
  for (const DType dtype : {DType::kUint8, DType::kUint16, DType::kFloat32}) {
    ShardSpec spec = SmallSpec();
    spec.dtype = dtype;
    ASSERT_TRUE(files_.RemoveTree(Path("data")).ok());
    const Manifest manifest = MakeTestDataset(Path("data"), spec, 10, 5, /*images_per_shard=*/4);
    for (const Split split : {Split::kTrain, Split::kValidation}) {
      const auto dataset = Dataset::Open(files_, Path("data"), split);
      ASSERT_TRUE(dataset.ok()) << dataset.status();
      const int64_t first = split == Split::kTrain ? 0 : 10;
      EXPECT_EQ((*dataset)->size(), split == Split::kTrain ? 10 : 5);
      EXPECT_EQ((*dataset)->dtype(), dtype);
      EXPECT_EQ((*dataset)->shape(), spec.shape);
      EXPECT_EQ((*dataset)->num_classes(), 3);
      EXPECT_EQ((*dataset)->intensity_map().scale, spec.intensity_map.scale);
      EXPECT_EQ((*dataset)->fingerprint(), manifest.fingerprint);
      for (int64_t i = 0; i < (*dataset)->size(); ++i) {
        std::vector<std::byte> pixels(static_cast<size_t>(spec.image_bytes()));
        ASSERT_TRUE((*dataset)->ReadImage(i, /*verify=*/true, pixels).ok());
        EXPECT_EQ(pixels, TestPixels(spec, first + i));
        EXPECT_EQ((*dataset)->label(i), (first + i) % 3);
      }
    }
  }
}

TEST_F(DatasetTest, FingerprintNamesTheContentsNotTheFiles) {
  const auto fingerprint = [this](const ShardSpec& spec, int64_t train, int64_t validation,
                                  int64_t per_shard) {
    EXPECT_TRUE(files_.RemoveTree(Path("data")).ok());
    return MakeTestDataset(Path("data"), spec, train, validation, per_shard).fingerprint;
  };
  const std::string expected = fingerprint(SmallSpec(), 10, 5, 100);
  EXPECT_EQ(expected.size(), 32);
  EXPECT_EQ(fingerprint(SmallSpec(), 10, 5, 3), expected);
  EXPECT_NE(fingerprint(SmallSpec(), 11, 5, 100), expected);
  EXPECT_NE(fingerprint(SmallSpec(), 9, 6, 100), expected);
  ShardSpec other = SmallSpec();
  other.intensity_map.offset = 0;
  EXPECT_NE(fingerprint(other, 10, 5, 100), expected);
  other = SmallSpec();
  other.has_labels = false;
  EXPECT_NE(fingerprint(other, 10, 5, 100), expected);
  other = SmallSpec();
  other.shape = {.height = 3, .width = 4, .channels = 2};
  EXPECT_NE(fingerprint(other, 10, 5, 100), expected);
}

TEST_F(DatasetTest, SameImagesGiveTheSameBytes) {
  for (const char* name : {"a", "b"}) MakeTestDataset(Path(name), SmallSpec(), 10, 5, 4);
  const auto names = files_.List(Path("a"));
  ASSERT_TRUE(names.ok());
  EXPECT_EQ(names->size(), 6);  // Three shards, two shards, the manifest, and nothing temporary.
  for (const std::string& name : *names) {
    EXPECT_EQ(Read(JoinPath("a", name)), Read(JoinPath("b", name))) << name;
  }
}

TEST_F(DatasetTest, MissingDataSetOrSplitIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(Dataset::Open(files_, Path("data"), Split::kTrain).status()));
  MakeTestDataset(Path("data"), SmallSpec(), 4, 0, 4);
  const auto dataset = Dataset::Open(files_, Path("data"), Split::kValidation);
  EXPECT_TRUE(absl::IsNotFound(dataset.status())) << dataset.status();
}

TEST_F(DatasetTest, MissingEmptyOrShortenedShardIsNamed) {
  MakeTestDataset(Path("data"), SmallSpec(), 10, 0, 4);
  const std::string shard = "data/train-00001-of-00003.h5";
  const std::string contents = Read(shard);
  for (const uint64_t size : {uint64_t{0}, uint64_t{1}, uint64_t{511}, uint64_t{4096},
                              uint64_t{5000}, contents.size() - 1}) {
    Write(shard, std::string_view(contents).substr(0, size));
    ExpectDamaged(shard);
  }
  ASSERT_TRUE(files_.RemoveFile(Path(shard)).ok());
  ExpectDamaged(shard);
  Write(shard, "this is not HDF5");
  ExpectDamaged(shard);
  Write(shard, contents);
  EXPECT_TRUE(Dataset::Open(files_, Path("data"), Split::kTrain).ok());
}

TEST_F(DatasetTest, ShardOfAnotherDataSetIsNamed) {
  MakeTestDataset(Path("data"), SmallSpec(), 8, 0, 4);
  const std::string first = Read("data/train-00000-of-00002.h5");
  Write("data/train-00001-of-00002.h5", first);  // Whole, but not the one that belongs there.
  ExpectDamaged("train-00001-of-00002.h5");
}

TEST_F(DatasetTest, LinksAreNotFollowed) {
  MakeTestDataset(Path("data"), SmallSpec(), 4, 0, 4);
  const std::string shard = "data/train-00000-of-00001.h5";
  ASSERT_TRUE(files_.Rename(Path(shard), Path("elsewhere")).ok());
  ASSERT_EQ(symlink(Path("elsewhere").c_str(), Path(shard).c_str()), 0);
  ExpectDamaged(shard);
}

TEST_F(DatasetTest, ManifestThatWasChangedIsRefused) {
  MakeTestDataset(Path("data"), SmallSpec(), 10, 0, 4);
  const std::string name = "data/manifest.textproto";
  const std::string text = Read(name);
  const std::pair<const char*, const char*> changes[] = {
      {"count: 10", "count: 11"},
      {"height: 4", "height: 3"},
      {"height: 4", "height: 4000000000"},
      {"height: 4", "height: -4"},
      {"dtype: \"uint8\"", "dtype: \"int8\""},
      {"offset: -1", "offset: 0"},
      {"offset: -1", "offset: nan"},
      {"format_version: 2", "format_version: 3"},
      {"format_version: 2", "format_version: 0"},
      {"num_classes: 3", "num_classes: 4"},
      {"train-00000-of-00003.h5", "../train-00000-of-00003.h5"},
      {"train-00000-of-00003.h5", "train-00001-of-00003.h5"},
      {"has_labels: true", "has_labels: maybe"},
      {"dtype", "d_type"},
  };
  for (const auto& [from, to] : changes) {
    const std::string changed = absl::StrReplaceAll(text, {{from, to}});
    ASSERT_NE(changed, text) << from;
    Write(name, changed);
    SCOPED_TRACE(to);
    ExpectDamaged("data/");
  }
  Write(name, "");
  ExpectDamaged("manifest.textproto");
}

// Each bit of a shard is guarded by something: after a change either opening or reading fails, or
// what is read is what was written (the change hit padding).
TEST_F(DatasetTest, NoFlippedBitIsReadAsAnImage) {
  ShardSpec spec = SmallSpec();
  MakeTestDataset(Path("data"), spec, 4, 0, 4);
  const std::string shard = "data/train-00000-of-00001.h5";
  const std::string contents = Read(shard);
  const std::vector<std::byte> first = TestPixels(spec, 0);
  const size_t images =
      contents.find(std::string(reinterpret_cast<const char*>(first.data()), first.size()));
  ASSERT_NE(images, std::string::npos);
  EXPECT_EQ(images % 4096, 0);
  int found = 0;
  for (size_t offset = images; offset < images + 4 * first.size(); ++offset) {
    FlipBit(shard, offset);
    const auto dataset = Dataset::Open(files_, Path("data"), Split::kTrain);
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    std::vector<std::byte> pixels(first.size());
    for (int64_t i = 0; i < 4; ++i) {
      const absl::Status status = (*dataset)->ReadImage(i, /*verify=*/true, pixels);
      if (status.ok()) {
        EXPECT_EQ(pixels, TestPixels(spec, i));
      } else {
        ++found;
        EXPECT_TRUE(absl::IsDataLoss(status));
        EXPECT_NE(status.message().find(shard), absl::string_view::npos) << status;
      }
    }
    Write(shard, contents);
  }
  EXPECT_EQ(found, 4 * first.size());
  // A checksum or label that was changed does not fit the manifest.
  const uint32_t crc = Crc32c(first);
  const size_t crcs = contents.find(std::string(reinterpret_cast<const char*>(&crc), 4));
  ASSERT_NE(crcs, std::string::npos);
  FlipBit(shard, crcs);
  ExpectDamaged(shard);
}

TEST_F(DatasetTest, DescriptionSaysWhatIsInIt) {
  const Manifest manifest = MakeTestDataset(Path("data"), SmallSpec(), 10, 5, 4);
  const auto text = DescribeDataset(files_, Path("data"));
  ASSERT_TRUE(text.ok()) << text.status();
  for (const std::string& part :
       {manifest.fingerprint, std::string("4 x 3 x 2 uint8"), std::string("10 images in 3 shards"),
        std::string("  0  train 4  validation 1\n"), std::string("  1  train 3  validation 2\n")}) {
    EXPECT_NE(text->find(part), std::string::npos) << part << " is not in\n" << *text;
  }
  const auto shard = DescribeShard(files_, Path("data/validation-00000-of-00002.h5"));
  ASSERT_TRUE(shard.ok()) << shard.status();
  EXPECT_NE(shard->find("4 of 4 x 3 x 2 uint8"), std::string::npos) << *shard;
}

}  // namespace
}  // namespace langevin::data
