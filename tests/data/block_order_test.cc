#include "data/block_order.h"

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace langevin::data {
namespace {

std::vector<Pick> Picks(const Order& order, int64_t first, int64_t count) {
  std::vector<Pick> picks(static_cast<size_t>(count));
  order.PicksAt(first, picks);
  return picks;
}

std::vector<int64_t> Samples(const Order& order, int64_t first, int64_t count) {
  std::vector<int64_t> samples;
  for (const Pick& pick : Picks(order, first, count)) samples.push_back(pick.sample);
  return samples;
}

TEST(BlockOrderTest, EveryEpochVisitsEverySampleOnceForEverySize) {
  for (int64_t size = 1; size <= 5000; size += size < 600 ? 1 : 37) {
    const BlockOrder order(3, size,
                           {.block_images = 5, .lanes = 4, .window_blocks = 3, .global_batch = 24});
    for (const int64_t epoch : {0, 1, 7}) {
      std::vector<int64_t> samples = Samples(order, epoch * size, size);
      std::sort(samples.begin(), samples.end());
      for (int64_t i = 0; i < size; ++i) {
        ASSERT_EQ(samples[static_cast<size_t>(i)], i) << "size " << size << ", epoch " << epoch;
      }
    }
  }
}

TEST(BlockOrderTest, OtherCutsVisitEverySampleOnce) {
  for (const BlockOrder::Cut& cut :
       {BlockOrder::Cut{1, 1, 1, 1}, BlockOrder::Cut{7, 1, 1, 3}, BlockOrder::Cut{1, 6, 5, 6},
        BlockOrder::Cut{64, 8, 16, 256}, BlockOrder::Cut{10, 3, 100, 300}}) {
    const int64_t size = 4999;
    const BlockOrder order(1, size, cut);
    std::vector<int64_t> samples = Samples(order, 2 * size, size);
    std::sort(samples.begin(), samples.end());
    for (int64_t i = 0; i < size; ++i) ASSERT_EQ(samples[static_cast<size_t>(i)], i);
  }
}

// Where a stretch is asked for in pieces, or from its middle, the same stands there.
TEST(BlockOrderTest, IsAFunctionOfThePosition) {
  const BlockOrder order(9, 1234,
                         {.block_images = 8, .lanes = 4, .window_blocks = 4, .global_batch = 32});
  const std::vector<int64_t> all = Samples(order, 0, 3 * 1234);
  for (int64_t position = 0; position < 3 * 1234; ++position) {
    ASSERT_EQ(Samples(order, position, 1)[0], all[static_cast<size_t>(position)]) << position;
  }
}

// A lane's images come from one window of blocks at a time, each block belongs to one lane in an
// epoch, and a lane has its stretch of every global batch.
TEST(BlockOrderTest, BlocksBelongToOneLaneAndWindow) {
  constexpr int64_t kSize = 20000, kBlock = 16, kLanes = 8, kWindow = 8, kBatch = 64;
  const BlockOrder order(
      5, kSize,
      {.block_images = kBlock, .lanes = kLanes, .window_blocks = kWindow, .global_batch = kBatch});
  const std::vector<Pick> picks = Picks(order, kSize, kSize);
  std::map<int64_t, std::pair<int64_t, int64_t>> owner;
  std::map<std::pair<int64_t, int64_t>, int64_t> used, promised;
  int64_t alone = 0;
  for (int64_t i = 0; i < kSize; ++i) {
    const Pick& pick = picks[static_cast<size_t>(i)];
    if (pick.window < 0) {
      ++alone;
      continue;
    }
    const std::pair<int64_t, int64_t> window = {pick.lane, pick.window};
    EXPECT_EQ(pick.lane, (kSize + i) % kBatch / (kBatch / kLanes));
    const auto [found, is_new] = owner.emplace(pick.sample / kBlock, window);
    ASSERT_EQ(found->second, window);
    ++used[window];
    promised[window] = pick.window_images;
    EXPECT_LE(pick.window_images, kWindow * kBlock);
  }
  EXPECT_EQ(used, promised);
  EXPECT_LT(alone, kLanes * kBlock + 2 * kBatch);
  EXPECT_GT(used.size(), kLanes * 15);
}

// A resumed run goes on in the same order: a change here needs a new order, not new numbers.
TEST(BlockOrderTest, OrderIsFrozen) {
  const BlockOrder small(0, 20,
                         {.block_images = 2, .lanes = 2, .window_blocks = 3, .global_batch = 4});
  EXPECT_EQ(Samples(small, 0, 20), (std::vector<int64_t>{0,  17, 5, 8, 16, 13, 9, 4, 12, 1,
                                                         18, 14, 2, 6, 15, 10, 3, 7, 19, 11}));
  const BlockOrder large(
      42, 1'000'000'000,
      {.block_images = 64, .lanes = 8, .window_blocks = 16, .global_batch = 256});
  EXPECT_EQ(Samples(large, 123'456'789'012, 2), (std::vector<int64_t>{365268758, 830665707}));
}

}  // namespace
}  // namespace langevin::data
