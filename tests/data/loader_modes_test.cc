// Every way of ordering, mixing and augmenting gives the same batches for any number of ranks and
// threads, any prefetch depth and any place to begin.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "data/block_order.h"
#include "data/dataset_writer.h"
#include "data/loader.h"
#include "data/mixed_dataset.h"
#include "data/sample_order.h"
#include "tests/data/testing.h"

namespace langevin::data {
namespace {

constexpr int64_t kGlobalBatch = 48;  // Of 24 microbatches: for 1, 2, 3, 4 and 8 ranks.
constexpr int64_t kMicrobatch = 2;

// What one position holds, as numbers that can be compared.
using Example = std::vector<float>;

class LoaderModesTest : public DataTest {
 protected:
  LoaderModesTest() {
    MakeDataset("a", 101);
    MakeDataset("b", 13);
  }

  void MakeDataset(const std::string& name, int64_t count) {
    EXPECT_TRUE(files_.CreateFolders(Path(name)).ok());
    ShardSpec spec = SmallSpec();
    spec.condition_size = 2;
    DatasetWriter writer(files_, Path(name), spec, {}, 17 * spec.image_bytes());
    for (int64_t i = 0; i < count; ++i) {
      const std::vector<std::byte> pixels = TestPixels(spec, i);
      std::vector<uint8_t> mask(12, 1);
      mask[static_cast<size_t>(i % 12)] = 0;
      const std::vector<float> condition = {static_cast<float>(i), 0.5f};
      EXPECT_TRUE(writer
                      .Add(Split::kTrain, {.pixels = pixels,
                                           .label = i % 10 == 0 ? 1 : 0,
                                           .mask = mask,
                                           .condition = condition})
                      .ok());
    }
    EXPECT_TRUE(writer.Finish(0, "").ok());
  }

  void Use(const configs::DataConfig& config) {
    config_ = config;
    auto dataset = OpenTrainingData(files_, Path("a"), config);
    ASSERT_TRUE(dataset.ok()) << dataset.status();
    dataset_ = *std::move(dataset);
    auto order = MakeOrder(*dataset_, config, /*seed=*/5, kGlobalBatch);
    ASSERT_TRUE(order.ok()) << order.status();
    order_ = *std::move(order);
  }

  // The examples at the positions that `rank` of `ranks` has of some global batches from `begin`
  // on, by position.
  void Take(int64_t begin, int64_t batches, int rank, int ranks, int threads, int prefetch,
            std::vector<Example>& examples) {
    const int64_t own = kGlobalBatch / kMicrobatch / ranks;
    const auto loader = Loader::Create(*dataset_,
                                       {.seed = 5,
                                        .augment = config_.augment,
                                        .microbatch = kMicrobatch,
                                        .threads = threads,
                                        .prefetch = prefetch,
                                        .order = order_.get()},
                                       [=](int64_t k) {
                                         return begin + k / own * kGlobalBatch +
                                                (rank * own + k % own) * kMicrobatch;
                                       });
    for (int64_t k = 0; k < batches * own; ++k) {
      const auto microbatch = loader->Next();
      ASSERT_TRUE(microbatch.ok()) << microbatch.status();
      for (int64_t i = 0; i < kMicrobatch; ++i) {
        Example example = {static_cast<float>(microbatch->labels[static_cast<size_t>(i)])};
        example.insert(example.end(), microbatch->images.begin() + i * 24,
                       microbatch->images.begin() + (i + 1) * 24);
        example.insert(example.end(), microbatch->masks.begin() + i * 12,
                       microbatch->masks.begin() + (i + 1) * 12);
        example.insert(example.end(), microbatch->conditions.begin() + i * 2,
                       microbatch->conditions.begin() + (i + 1) * 2);
        if (!microbatch->augment_labels.empty()) {
          example.insert(example.end(), microbatch->augment_labels.begin() + i * kAugmentLabels,
                         microbatch->augment_labels.begin() + (i + 1) * kAugmentLabels);
        }
        examples[static_cast<size_t>(microbatch->first_position + i)] = example;
      }
    }
  }

  std::vector<configs::DataConfig> Modes() {
    configs::DataConfig sample, block, mix, balance, both;
    sample.augment = {.horizontal_flip = true,
                      .vertical_flip = true,
                      .crop = 0.3,
                      .rotate_degrees = 20,
                      .translate = 0.3,
                      .intensity_scale = 0.1,
                      .noise = 0.1,
                      .edm = {.probability = 0.3}};
    block.order = configs::DataOrder::kBlock;
    block.block_images = 4;
    block.lanes = 8;
    block.window_blocks = 2;
    block.augment.edm.probability = 0.5;
    mix.mix = {{.path = Path("b"), .weight = 0.5}};
    balance.class_balance = 0.7;
    both.mix = mix.mix;
    both.class_balance = 1;
    return {sample, block, mix, balance, both};
  }

  configs::DataConfig config_;
  std::unique_ptr<Dataset> dataset_;
  std::unique_ptr<Order> order_;
};

TEST_F(LoaderModesTest, RanksThreadsAndPrefetchChangeNothing) {
  constexpr int64_t kBatches = 6;  // Almost three epochs.
  for (const configs::DataConfig& mode : Modes()) {
    Use(mode);
    std::vector<Example> expected(kBatches * kGlobalBatch);
    Take(0, kBatches, 0, 1, 1, 1, expected);
    for (const int ranks : {1, 2, 3, 4, 8}) {
      for (const auto& [threads, prefetch] : {std::pair(1, 4), std::pair(3, 2), std::pair(4, 16)}) {
        std::vector<Example> examples(expected.size());
        for (int rank = 0; rank < ranks; ++rank) {
          Take(0, kBatches, rank, ranks, threads, prefetch, examples);
        }
        ASSERT_EQ(examples, expected) << ranks << " ranks, " << threads << " threads";
      }
    }
  }
}

TEST_F(LoaderModesTest, MayBeginAtEveryPosition) {
  constexpr int64_t kPositions = 3 * kGlobalBatch;
  for (const configs::DataConfig& mode : Modes()) {
    Use(mode);
    std::vector<Example> expected(kPositions + kGlobalBatch);
    Take(0, 4, 0, 1, 2, 4, expected);
    for (int64_t begin = 0; begin < kPositions; ++begin) {
      std::vector<Example> examples(expected.size());
      Take(begin, 1, 0, 1, 2, 4, examples);
      for (int64_t i = begin; i < begin + kGlobalBatch && i < kPositions; ++i) {
        ASSERT_EQ(examples[static_cast<size_t>(i)], expected[static_cast<size_t>(i)])
            << "from " << begin << ", at " << i;
      }
    }
  }
}

// Whatever the size of the data set: an order holds no list of it.
TEST_F(LoaderModesTest, AThousandMillionImagesTakeNoMemory) {
  constexpr int64_t kSize = 1'000'000'000;
  const SampleOrder sample(1, kSize);
  const BlockOrder block(
      1, kSize, {.block_images = 64, .lanes = 8, .window_blocks = 16, .global_batch = 256});
  uint64_t state = 1;
  for (const Order* order :
       {static_cast<const Order*>(&sample), static_cast<const Order*>(&block)}) {
    for (int i = 0; i < 300; ++i) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      const auto position = static_cast<int64_t>(state >> 24);
      std::vector<Pick> run(64);
      order->PicksAt(position, run);
      for (int64_t k : {0, 1, 63}) {
        Pick one;
        order->PicksAt(position + k, {&one, 1});
        ASSERT_EQ(one.sample, run[static_cast<size_t>(k)].sample);
        ASSERT_TRUE(one.sample >= 0 && one.sample < kSize);
      }
    }
  }
  EXPECT_LE(sizeof(sample) + sizeof(block), 1000);
}

// Counts what is read, and when.
class CountingDataset : public Dataset {
 public:
  explicit CountingDataset(int64_t size) : size_(size), image_reads(0), block_reads_(size) {}

  int64_t size() const override { return size_; }
  const ImageShape& shape() const override { return shape_; }
  DType dtype() const override { return DType::kUint8; }
  const IntensityMap& intensity_map() const override { return map_; }
  const PhysicalUnits& physical() const override { return physical_; }
  bool has_labels() const override { return false; }
  const std::vector<std::string>& class_names() const override { return names_; }
  int64_t num_classes() const override { return 0; }
  const std::string& fingerprint() const override { return name_; }
  absl::Status ReadImage(int64_t, bool, std::span<std::byte>) const override {
    ++image_reads;
    return absl::OkStatus();
  }
  absl::Status ReadImages(int64_t index, int64_t, bool, std::span<std::byte>) const override {
    ++block_reads_[static_cast<size_t>(index)];
    return absl::OkStatus();
  }
  int64_t label(int64_t) const override { return 0; }
  int block_reads(int64_t block, int64_t block_images) const {
    return block_reads_[static_cast<size_t>(block * block_images)];
  }

 private:
  const int64_t size_;
  const ImageShape shape_ = {.height = 1, .width = 1, .channels = 1};
  const PhysicalUnits physical_;
  const IntensityMap map_;
  const std::vector<std::string> names_;
  const std::string name_;

 public:
  mutable std::atomic<int64_t> image_reads;

 private:
  mutable std::vector<std::atomic<int>> block_reads_;
};

TEST_F(LoaderModesTest, BlocksAreReadOnceAnEpochByOneRank) {
  constexpr int64_t kSize = 10000, kBlock = 10, kLanes = 8;
  const BlockOrder order(
      1, kSize,
      {.block_images = kBlock, .lanes = kLanes, .window_blocks = 5, .global_batch = kGlobalBatch});
  // Prefetching must not reach into the next epoch.
  constexpr int64_t kBatches = kSize / kGlobalBatch - 2;
  for (const int ranks : {1, 2, 4, 8}) {
    std::vector<std::unique_ptr<CountingDataset>> datasets;
    int64_t alone = 0;
    for (int rank = 0; rank < ranks; ++rank) {
      datasets.push_back(std::make_unique<CountingDataset>(kSize));
      const int64_t own = kGlobalBatch / kMicrobatch / ranks;
      const auto loader = Loader::Create(
          *datasets.back(),
          {.seed = 1, .microbatch = kMicrobatch, .threads = 3, .prefetch = 6, .order = &order},
          [=](int64_t k) { return k / own * kGlobalBatch + (rank * own + k % own) * kMicrobatch; });
      for (int64_t k = 0; k < kBatches * own; ++k) ASSERT_TRUE(loader->Next().ok());
      alone += datasets.back()->image_reads;
    }
    int64_t read = 0;
    for (int64_t block = 0; block < kSize / kBlock; ++block) {
      int reads = 0;
      for (const auto& dataset : datasets) reads += dataset->block_reads(block, kBlock);
      ASSERT_LE(reads, 1) << "block " << block << ", " << ranks << " ranks";
      read += reads;
    }
    EXPECT_GT(read, kSize / kBlock - 2 * kLanes);
    EXPECT_LT(alone, kLanes * kBlock + 2 * kGlobalBatch);
  }
}

TEST_F(LoaderModesTest, ChecksumRateChecksThatShare) {
  const std::string shard = "a/train-00000-of-00006.h5";
  std::string contents = Read(shard);
  for (int64_t i = 0; i < 17; ++i) {  // Every image of the first shard is damaged.
    const std::vector<std::byte> pixels = TestPixels(SmallSpec(), i);
    const size_t at =
        contents.find(std::string(reinterpret_cast<const char*>(pixels.data()), pixels.size()));
    ASSERT_NE(at, std::string::npos);
    contents[at] = static_cast<char>(contents[at] ^ 1);
  }
  Write(shard, contents);
  Use({});
  const auto good = [this](double rate) {
    const auto loader =
        Loader::Create(*dataset_, {.seed = 5, .checksum_rate = rate, .order = order_.get()},
                       [](int64_t k) { return k; });
    int64_t taken = 0;
    while (taken < 2000 && loader->Next().ok()) ++taken;
    return taken;
  };
  EXPECT_EQ(good(0), 2000);
  EXPECT_LT(good(1), 50);  // One image in six is damaged.
  EXPECT_GT(good(0.01), good(1));
  EXPECT_LT(good(0.05), 2000);
}

TEST_F(LoaderModesTest, BuffersComeBack) {
  Use({});
  std::set<const float*> seen;
  Microbatch kept;
  {
    const auto loader = Loader::Create(*dataset_, {.microbatch = 4, .threads = 2, .prefetch = 3},
                                       [](int64_t k) { return 4 * k; });
    for (int i = 0; i < 100; ++i) {
      auto microbatch = loader->Next();
      ASSERT_TRUE(microbatch.ok());
      EXPECT_EQ(reinterpret_cast<uintptr_t>(microbatch->images.data()) % 64, 0);
      seen.insert(microbatch->images.data());
      if (i == 50) kept = *std::move(microbatch);
    }
  }
  // Ready ones, one in the making for each thread, one in use, one kept.
  EXPECT_LE(seen.size(), 3 + 2 + 1 + 1);
  EXPECT_EQ(kept.images.size(), 4 * 24);  // Outlives its loader.
  EXPECT_LE(std::abs(kept.images[0]), 1);
}

}  // namespace
}  // namespace langevin::data
