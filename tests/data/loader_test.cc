#include "data/loader.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <vector>

#include "data/image_transform.h"
#include "data/sample_order.h"
#include "tests/data/testing.h"

namespace langevin::data {
namespace {

constexpr int64_t kTrain = 23;  // A prime, so that microbatches straddle shards and epochs.

class LoaderTest : public DataTest {
 protected:
  LoaderTest() {
    MakeTestDataset(Path("data"), SmallSpec(), kTrain, /*validation=*/0, /*images_per_shard=*/9);
    auto dataset = Dataset::Open(files_, Path("data"), Split::kTrain);
    EXPECT_TRUE(dataset.ok()) << dataset.status();
    dataset_ = *std::move(dataset);
  }

  // All that a loader gives, one microbatch after the other.
  struct Taken {
    std::vector<float> images;
    std::vector<int64_t> labels;
  };

  // The images and labels at positions [first, first + count), taken in microbatches.
  Taken Take(LoaderOptions options, int64_t first, int64_t count) {
    const int64_t step = options.microbatch;
    const auto loader =
        Loader::Create(*dataset_, options, [=](int64_t k) { return first + k * step; });
    Taken all;
    for (int64_t done = 0; done < count; done += step) {
      const auto next = loader->Next();
      EXPECT_TRUE(next.ok()) << next.status();
      if (!next.ok()) break;
      EXPECT_EQ(next->first_position, first + done);
      EXPECT_EQ(next->count, step);
      all.images.insert(all.images.end(), next->images.begin(), next->images.end());
      all.labels.insert(all.labels.end(), next->labels.begin(), next->labels.end());
    }
    return all;
  }

  std::unique_ptr<Dataset> dataset_;
};

TEST_F(LoaderTest, EachPositionHasTheSampleThatTheOrderNames) {
  const Taken all = Take({.seed = 5, .microbatch = 4}, /*first=*/0, /*count=*/60);
  const SampleOrder order(5, kTrain);
  for (int64_t position = 0; position < 60; ++position) {
    const int64_t sample = order.SampleAt(position);
    EXPECT_EQ(all.labels[static_cast<size_t>(position)], sample % 3);
    const std::vector<std::byte> stored = TestPixels(SmallSpec(), sample);
    for (int64_t i = 0; i < 24; ++i) {  // Two channels of 12 pixels.
      const auto byte = static_cast<size_t>(i % 12 * 2 + i / 12);
      ASSERT_NEAR(all.images[static_cast<size_t>(position * 24 + i)],
                  std::to_integer<int>(stored[byte]) / 127.5 - 1, 1e-6);
    }
  }
}

TEST_F(LoaderTest, ThreadsAndPrefetchChangeNothing) {
  LoaderOptions options = {.seed = 5, .augment = {.horizontal_flip = true}, .microbatch = 4};
  const Taken expected = Take(options, 0, 120);
  for (const int threads : {1, 2, 5}) {
    for (const int prefetch : {1, 3, 16}) {
      options.threads = threads;
      options.prefetch = prefetch;
      const Taken taken = Take(options, 0, 120);
      EXPECT_EQ(taken.images, expected.images) << threads << " threads, prefetch " << prefetch;
      EXPECT_EQ(taken.labels, expected.labels);
    }
  }
}

TEST_F(LoaderTest, StartAndGroupingChangeNothing) {
  LoaderOptions options = {.seed = 5, .augment = {.horizontal_flip = true}, .microbatch = 60};
  const Taken expected = Take(options, 0, 60);
  for (int64_t first = 0; first < 30; ++first) {
    for (const int64_t microbatch : {1, 2, 5, 6}) {
      options.microbatch = microbatch;
      const Taken taken = Take(options, first, 30);
      ASSERT_TRUE(std::equal(taken.images.begin(), taken.images.end(),
                             expected.images.begin() + first * 24))
          << "from " << first << " in microbatches of " << microbatch;
      ASSERT_TRUE(
          std::equal(taken.labels.begin(), taken.labels.end(), expected.labels.begin() + first));
    }
  }
}

TEST_F(LoaderTest, FlipIsDrawnForThePositionNotTheSample) {
  LoaderOptions options = {.seed = 5, .microbatch = 1};
  const Taken straight = Take(options, 0, 4 * kTrain);
  options.augment.horizontal_flip = true;
  const Taken flipped = Take(options, 0, 4 * kTrain);
  std::vector<int> flips(kTrain);
  const SampleOrder order(5, kTrain);
  for (int64_t position = 0; position < 4 * kTrain; ++position) {
    const bool equal = std::equal(straight.images.begin() + position * 24,
                                  straight.images.begin() + (position + 1) * 24,
                                  flipped.images.begin() + position * 24);
    EXPECT_EQ(!equal, DrawHorizontalFlip(5, position)) << position;
    flips[static_cast<size_t>(order.SampleAt(position))] += !equal;
  }
  // The same sample is flipped in one epoch and not in another.
  EXPECT_TRUE(std::any_of(flips.begin(), flips.end(), [](int n) { return n > 0 && n < 4; }));
}

TEST_F(LoaderTest, NoMoreThanPrefetchIsMadeAhead) {
  std::atomic<int64_t> taken = 0;
  std::atomic<int64_t> furthest_ahead = 0;
  const auto loader =
      Loader::Create(*dataset_, {.microbatch = 2, .threads = 4, .prefetch = 3}, [&](int64_t k) {
        const int64_t ahead = k - taken;
        int64_t furthest = furthest_ahead;
        while (furthest < ahead && !furthest_ahead.compare_exchange_weak(furthest, ahead)) {
        }
        return 2 * k;
      });
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(loader->Next().ok());
    ++taken;
  }
  // Claiming may come between the end of Next and the count above, which shifts it by one.
  EXPECT_LE(furthest_ahead, 3);
  EXPECT_GE(furthest_ahead, 1);
  EXPECT_GE(loader->seconds_waited(), 0);
}

TEST_F(LoaderTest, DamagedImageEndsItUnlessChecksumsAreOff) {
  const SampleOrder order(5, kTrain);
  // A byte in the middle of shard 1's images, which hold samples 9 to 17.
  const std::string shard = "data/train-00001-of-00003.h5";
  const std::string contents = Read(shard);
  const std::vector<std::byte> pixels = TestPixels(SmallSpec(), 12);
  const size_t offset =
      contents.find(std::string(reinterpret_cast<const char*>(pixels.data()), pixels.size()));
  ASSERT_NE(offset, std::string::npos);
  FlipBit(shard, offset + 7);
  auto dataset = Dataset::Open(files_, Path("data"), Split::kTrain);
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  dataset_ = *std::move(dataset);

  LoaderOptions options = {.seed = 5, .microbatch = 1, .threads = 2};
  const auto loader = Loader::Create(*dataset_, options, [](int64_t k) { return k; });
  for (int64_t position = 0; order.SampleAt(position) != 12; ++position) {
    ASSERT_TRUE(loader->Next().ok());
  }
  for (int attempt = 0; attempt < 2; ++attempt) {  // The error stays.
    const auto next = loader->Next();
    EXPECT_TRUE(absl::IsDataLoss(next.status())) << next.status();
    EXPECT_NE(next.status().message().find("train-00001-of-00003.h5: image 3"),
              absl::string_view::npos)
        << next.status();
  }
  options.verify_checksums = false;
  Take(options, 0, kTrain);
}

TEST_F(LoaderTest, MayBeDestroyedWhileItWorks) {
  for (int i = 0; i < 50; ++i) {
    const auto loader = Loader::Create(*dataset_, {.microbatch = 3, .threads = 3, .prefetch = 8},
                                       [](int64_t k) { return 3 * k; });
    for (int taken = 0; taken < i % 3; ++taken) ASSERT_TRUE(loader->Next().ok());
  }
}

}  // namespace
}  // namespace langevin::data
