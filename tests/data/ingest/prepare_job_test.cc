#include "data/ingest/prepare_job.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "data/dataset.h"
#include "data/manifest.h"
#include "tests/data/testing.h"

namespace langevin::data {
namespace {

using std::string_literals::operator""s;

class PrepareTest : public DataTest {
 protected:
  absl::StatusOr<std::string> Prepare(const std::string& input, double validation_fraction = 0,
                                      int64_t shard_mib = 256) {
    PrepareOptions options = {.inputs = {Path(input)}, .output = Path("out/data"), .workers = 2};
    options.config.split.validation_fraction = validation_fraction;
    options.config.shards.shard_mib = shard_mib;
    return PrepareDataset(files_, SingleProcess(), options);
  }

  // Fails with this code and these words, and leaves nothing behind.
  void ExpectFailure(const std::string& input, absl::StatusCode code,
                     const std::vector<std::string>& words, double validation_fraction = 0) {
    const auto text = Prepare(input, validation_fraction);
    EXPECT_EQ(text.status().code(), code) << text.status();
    for (const std::string& word : words) {
      EXPECT_NE(text.status().message().find(word), absl::string_view::npos)
          << word << " is not in: " << text.status();
    }
    EXPECT_TRUE(!files_.Exists(Path("out")) || files_.List(Path("out"))->empty());
  }

  std::unique_ptr<Dataset> Open(Split split) {
    auto dataset = Dataset::Open(files_, Path("out/data"), split);
    EXPECT_TRUE(dataset.ok()) << dataset.status();
    return dataset.ok() ? *std::move(dataset) : nullptr;
  }

  static std::vector<std::byte> Image(const Dataset& dataset, int64_t index) {
    std::vector<std::byte> pixels(static_cast<size_t>(dataset.shape().values()) *
                                  SizeOf(dataset.dtype()));
    EXPECT_TRUE(dataset.ReadImage(index, /*verify=*/true, pixels).ok());
    return pixels;
  }

  static std::string ImageText(const Dataset& dataset, int64_t index) {
    const std::vector<std::byte> pixels = Image(dataset, index);
    return {reinterpret_cast<const char*>(pixels.data()), pixels.size()};
  }

  void WriteIdx(const std::string& name, int images, const std::string& labels_name, int labels) {
    std::string contents = "\0\0\x8\3\0\0\0"s + static_cast<char>(images) + "\0\0\0\2\0\0\0\2"s;
    for (int i = 0; i < 4 * images; ++i) contents += static_cast<char>(i);
    Write(name, contents);
    contents = "\0\0\x8\1\0\0\0"s + static_cast<char>(labels);
    for (int i = 0; i < labels; ++i) contents += static_cast<char>(i % 4);
    Write(labels_name, contents);
  }
};

TEST_F(PrepareTest, ClassFoldersBecomeLabels) {
  Write("in/dog/b.png", MakeTestPng(5, 4, 3, 1));
  Write("in/cat/deep/a.png", MakeTestPng(5, 4, 3, 2));
  Write("in/cat/z.png", MakeTestPng(5, 4, 3, 3));
  const auto text = Prepare("in");
  ASSERT_TRUE(text.ok()) << text.status();
  const auto dataset = Open(Split::kTrain);
  ASSERT_NE(dataset, nullptr);
  EXPECT_EQ(dataset->class_names(), (std::vector<std::string>{"cat", "dog"}));
  ASSERT_EQ(dataset->size(), 3);
  EXPECT_EQ(dataset->shape(), (ImageShape{.height = 4, .width = 5, .channels = 3}));
  EXPECT_EQ(dataset->label(0), 0);  // cat/deep/a.png
  EXPECT_EQ(dataset->label(1), 0);  // cat/z.png
  EXPECT_EQ(dataset->label(2), 1);  // dog/b.png
  EXPECT_EQ(std::to_integer<int>(Image(*dataset, 2)[0]), 31);
  EXPECT_EQ(std::to_integer<int>(Image(*dataset, 1)[16]), (3 * 31 + 7 + 3) % 256);
  EXPECT_EQ(Read("out/data/rejected.csv"), "file,reason,score,image\n");
  EXPECT_NE(Read("out/data/report.html").find("data:image/png;base64,"), std::string::npos);
  EXPECT_EQ(*files_.List(Path("out")), std::vector<std::string>{"data"});
}

TEST_F(PrepareTest, SplitFoldersBecomeSplits) {
  for (const char* name : {"in/train/a/1.png", "in/train/b/2.png", "in/val/b/3.png"}) {
    Write(name, MakeTestPng(4, 4, 1, name[10]));
  }
  ASSERT_TRUE(Prepare("in").ok());
  EXPECT_EQ(Open(Split::kTrain)->size(), 2);
  EXPECT_EQ(Open(Split::kValidation)->size(), 1);
  EXPECT_EQ(Open(Split::kValidation)->label(0), 1);  // The classes are those of all splits.
  EXPECT_EQ(Open(Split::kTrain)->fingerprint(), Open(Split::kValidation)->fingerprint());
}

TEST_F(PrepareTest, ConditionsOfATableReachTheShards) {
  for (const char* name : {"in/a.png", "in/b.png", "in/c.png"}) {
    Write(name, MakeTestPng(4, 4, 1, name[3]));
  }
  Write("in/t.csv", "file,condition\na.png,1 2.5\nb.png,-3 4\nc.png,5 6\n");
  ASSERT_TRUE(Prepare("in/t.csv").ok());
  const auto dataset = Open(Split::kTrain);
  ASSERT_EQ(dataset->condition_size(), 2);
  std::vector<float> condition(2);
  for (const auto& [index, expected] :
       {std::pair{0, std::vector{1.0f, 2.5f}}, {1, {-3.0f, 4.0f}}, {2, {5.0f, 6.0f}}}) {
    ASSERT_TRUE(dataset->ReadExtras(index, /*verify=*/true, {}, condition).ok());
    EXPECT_EQ(condition, expected) << index;
  }
  // Other numbers make another data set of the same files.
  Write("in/t.csv", "file,condition\na.png,1 2.5\nb.png,-3 4\nc.png,5 7\n");
  EXPECT_TRUE(absl::IsAlreadyExists(Prepare("in/t.csv").status()));
}

TEST_F(PrepareTest, ImagesWithoutFoldersHaveNoLabels) {
  for (int i = 0; i < 3; ++i) {
    Write(absl::StrCat("in/", i, ".PNG"),
          MakePng({.width = 1, .height = 1, .bit_depth = 16}, "\0\x12\x34"s));
  }
  ASSERT_TRUE(Prepare("in").ok());
  const auto dataset = Open(Split::kTrain);
  EXPECT_FALSE(dataset->has_labels());
  EXPECT_EQ(dataset->num_classes(), 0);
  EXPECT_EQ(dataset->dtype(), DType::kUint16);
  EXPECT_DOUBLE_EQ(dataset->intensity_map().scale, 2 / 65535.0);
  EXPECT_EQ(Image(*dataset, 0), (std::vector<std::byte>{std::byte{0x34}, std::byte{0x12}}));
}

TEST_F(PrepareTest, ACorruptFileCostsOneRow) {
  for (int i = 0; i < 4; ++i) Write(absl::StrCat("in/c/", i, ".png"), MakeTestPng(4, 4, 1, i));
  Write("in/c/1.png", MakeTestPng(4, 4, 1, 1).substr(0, 50));
  Write("in/c/note, \"odd\".txt", "hello");
  // A header that claims 65535 x 65535 pixels.
  Write("in/c/bomb.png", MakePng({.width = 65535, .height = 65535, .color_type = 6}, "\0"s));
  const auto text = Prepare("in");
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(Open(Split::kTrain)->size(), 3);
  const std::string rows = Read("out/data/rejected.csv");
  EXPECT_NE(rows.find("/in/c/1.png,is no PNG"), std::string::npos) << rows;
  EXPECT_NE(rows.find("/in/c/bomb.png,\"is no PNG that can be read: it has 65535 x 65535"),
            std::string::npos)
      << rows;
  EXPECT_NE(rows.find("/in/c/note, \"\"odd\"\".txt\",is of no kind"), std::string::npos) << rows;
  EXPECT_EQ(std::count(rows.begin(), rows.end(), '\n'), 4);
  EXPECT_EQ(ReadManifest(files_, Path("out/data"))->rejected, 3);
  EXPECT_NE(Read("out/data/report.html").find("bomb.png"), std::string::npos);
}

TEST_F(PrepareTest, MixedSizesAreNamedWithAFileOfEach) {
  for (int i = 0; i < 3; ++i) Write(absl::StrCat("in/c/", i, ".png"), MakeTestPng(4, 4, 1, i));
  Write("in/c/9.png", MakeTestPng(5, 4, 1, 0));
  ExpectFailure("in", absl::StatusCode::kDataLoss,
                {"0.png is 4 x 4 x 1 uint8 (3 such)", "9.png is 4 x 5 x 1 uint8 (1 such)", "size"});
  Write("in/c/9.png", MakeTestPng(4, 4, 3, 0));
  ExpectFailure("in", absl::StatusCode::kDataLoss, {"4 x 4 x 3 uint8 (1 such)"});
}

TEST_F(PrepareTest, NothingToReadIsAnError) {
  ASSERT_TRUE(files_.CreateFolders(Path("in/empty")).ok());
  ExpectFailure("in", absl::StatusCode::kNotFound, {"/in", "no images"});
  ExpectFailure("missing", absl::StatusCode::kNotFound, {"/missing"});
  Write("in/a.png", "no PNG");
  ExpectFailure("in", absl::StatusCode::kDataLoss, {"none of the 1 files", "a.png"});
}

TEST_F(PrepareTest, ContradictoryLayoutsAreErrors) {
  Write("in/a.png", MakeTestPng(4, 4, 1, 1));
  Write("in/c/b.png", MakeTestPng(4, 4, 1, 1));
  ExpectFailure("in", absl::StatusCode::kDataLoss, {"in/a.png", "in/c/b.png"});
  Write("splits/train/c/b.png", MakeTestPng(4, 4, 1, 1));
  Write("splits/val/c/b.png", MakeTestPng(4, 4, 1, 1));
  Write("splits/more/c/b.png", MakeTestPng(4, 4, 1, 1));
  ExpectFailure("splits", absl::StatusCode::kDataLoss, {"more", "train", "val"});
}

TEST_F(PrepareTest, IdxWithDotsInItsNamesAndLabels) {
  WriteIdx("in/train-images.idx3-ubyte", 5, "in/train-labels.idx1-ubyte", 5);
  WriteIdx("in/t10k-images.idx3-ubyte", 2, "in/t10k-labels.idx1-ubyte", 2);
  const auto text = Prepare("in");
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_EQ(Open(Split::kTrain)->size(), 5);
  EXPECT_EQ(Open(Split::kTrain)->label(3), 3);
  EXPECT_EQ(std::to_integer<int>(Image(*Open(Split::kTrain), 3)[1]), 13);
  EXPECT_EQ(Open(Split::kValidation)->size(), 2);
  EXPECT_EQ(Open(Split::kValidation)->num_classes(), 4);
}

TEST_F(PrepareTest, DamagedIdxIsAnError) {
  WriteIdx("in/train-images-idx3-ubyte", 5, "in/train-labels-idx1-ubyte", 4);
  ExpectFailure("in", absl::StatusCode::kDataLoss,
                {"train-images-idx3-ubyte", "5 images", "4 labels"});
  WriteIdx("in/train-images-idx3-ubyte", 5, "in/train-labels-idx1-ubyte", 5);
  Shorten("in/train-images-idx3-ubyte", 30);
  ExpectFailure("in", absl::StatusCode::kDataLoss, {"train-images-idx3-ubyte", "truncated"});
  Write("in/train-images-idx3-ubyte", Read("in/train-labels-idx1-ubyte"));
  ExpectFailure("in", absl::StatusCode::kDataLoss, {"train-images-idx3-ubyte", "holds labels"});
  Write("in/train-images-idx3-ubyte", "PK\3\4 a zip file");
  ExpectFailure("in", absl::StatusCode::kDataLoss, {"train-images-idx3-ubyte", "seems to be ZIP"});
}

TEST_F(PrepareTest, ValidationFractionMovesImagesByTheirNames) {
  for (int i = 0; i < 200; ++i) {
    Write(absl::StrCat("in/", i, ".png"), MakeTestPng(4, 4, 1, i));
  }
  ASSERT_TRUE(Prepare("in", /*validation_fraction=*/0.25).ok());
  const int64_t validation = Open(Split::kValidation)->size();
  EXPECT_NEAR(static_cast<double>(validation), 50, 25);  // Four standard deviations.
  EXPECT_EQ(Open(Split::kTrain)->size() + validation, 200);

  // An image that is added moves no other.
  std::set<std::string> before, after;
  for (int64_t i = 0; i < validation; ++i) {
    before.insert(ImageText(*Open(Split::kValidation), i));
  }
  ASSERT_TRUE(files_.RemoveTree(Path("out")).ok());
  Write("in/1000.png", MakeTestPng(4, 4, 1, 1000));
  ASSERT_TRUE(Prepare("in", 0.25).ok());
  const auto larger = Open(Split::kValidation);
  for (int64_t i = 0; i < larger->size(); ++i) after.insert(ImageText(*larger, i));
  EXPECT_TRUE(std::includes(after.begin(), after.end(), before.begin(), before.end()));

  ASSERT_TRUE(files_.RemoveTree(Path("out")).ok());
  ExpectFailure("in", absl::StatusCode::kInvalidArgument, {"validation_fraction"}, 1e-9);
}

TEST_F(PrepareTest, DryRunWritesTheReportOnly) {
  Write("in/a.png", MakeTestPng(4, 4, 1, 1));
  const auto text =
      PrepareDataset(files_, SingleProcess(),
                     {.inputs = {Path("in")}, .output = Path("out/data"), .dry_run = true});
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_NE(text->find("train 1"), std::string::npos);
  EXPECT_EQ(*files_.List(Path("out")), std::vector<std::string>{"data.report.html"});
}

TEST_F(PrepareTest, AgainIsLeftAndOtherwiseIsRefused) {
  Write("in/a.png", MakeTestPng(4, 4, 1, 1));
  Write("in/b.png", MakeTestPng(4, 4, 1, 2));
  const auto first = Prepare("in");
  ASSERT_TRUE(first.ok()) << first.status();
  const auto again = Prepare("in");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(*again, *first);

  Write("in/b.png", MakeTestPng(4, 4, 1, 3));  // The same names, sizes and shape.
  EXPECT_TRUE(absl::IsAlreadyExists(Prepare("in").status())) << Prepare("in").status();
  Write("in/b.png", MakeTestPng(4, 4, 1, 2));
  EXPECT_TRUE(Prepare("in").ok());
  EXPECT_TRUE(absl::IsAlreadyExists(Prepare("in", 0, /*shard_mib=*/1).status()));

  Shorten("out/data/train-00000-of-00001.h5", 100);
  EXPECT_TRUE(absl::IsDataLoss(Prepare("in").status())) << Prepare("in").status();
  ASSERT_TRUE(files_.RemoveTree(Path("out/data")).ok());
  Write("out/data/thesis.tex", "years of work");
  EXPECT_TRUE(absl::IsAlreadyExists(Prepare("in").status()));
  EXPECT_EQ(Read("out/data/thesis.tex"), "years of work");
}

TEST_F(PrepareTest, ShardsAreCutAtTheirSize) {
  std::string scanlines;
  for (int i = 0; i < 512; ++i) scanlines += '\0' + std::string(1024, static_cast<char>(i));
  for (int i = 0; i < 5; ++i) {
    Write(absl::StrCat("in/", i, ".png"), MakePng({.width = 1024, .height = 512}, scanlines));
  }
  ASSERT_TRUE(Prepare("in", 0, /*shard_mib=*/1).ok());  // Two of half a MiB in each.
  const auto manifest = ReadManifest(files_, Path("out/data"));
  ASSERT_TRUE(manifest.ok());
  ASSERT_EQ(manifest->splits[0].shards.size(), 3);
  EXPECT_EQ(manifest->splits[0].shards[2].file, "train-00002-of-00003.h5");
  EXPECT_EQ(manifest->splits[0].shards[2].count, 1);
}

std::string Inflate(const std::string& path) {
  std::string contents;
  const gzFile file = gzopen(path.c_str(), "rb");
  char piece[1 << 16];
  for (int count; (count = gzread(file, piece, sizeof(piece))) > 0;) {
    contents.append(piece, static_cast<size_t>(count));
  }
  gzclose(file);
  return contents;
}

// The real thing, from Debian's package dataset-fashion-mnist.
TEST_F(PrepareTest, FashionMnistIsWhole) {
  const std::string source = "/usr/share/datasets/fashion-mnist";
  const auto text = PrepareDataset(files_, SingleProcess(),
                                   {.inputs = {source}, .output = Path("out/data"), .workers = 2});
  ASSERT_TRUE(text.ok()) << text.status();
  const struct {
    Split split;
    int64_t size;
    std::string prefix;
  } cases[] = {{Split::kTrain, 60000, "/train"}, {Split::kValidation, 10000, "/t10k"}};
  for (const auto& expected : cases) {
    const auto dataset = Open(expected.split);
    ASSERT_NE(dataset, nullptr);
    ASSERT_EQ(dataset->size(), expected.size);
    EXPECT_EQ(dataset->num_classes(), 10);
    const std::string images = Inflate(source + expected.prefix + "-images-idx3-ubyte.gz");
    const std::string labels = Inflate(source + expected.prefix + "-labels-idx1-ubyte.gz");
    for (int64_t i = 0; i < dataset->size(); ++i) {
      const std::vector<std::byte> pixels = Image(*dataset, i);
      ASSERT_EQ(std::memcmp(pixels.data(), images.data() + 16 + i * 784, 784), 0) << i;
      ASSERT_EQ(dataset->label(i), labels[static_cast<size_t>(8 + i)]);
    }
  }
}

}  // namespace
}  // namespace langevin::data
