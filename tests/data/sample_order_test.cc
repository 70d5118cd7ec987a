#include "data/sample_order.h"

#include <vector>

#include "gtest/gtest.h"

namespace langevin::data {
namespace {

std::vector<int64_t> Epoch(uint64_t seed, int64_t size, int64_t epoch) {
  const SampleOrder order(seed, size);
  std::vector<int64_t> samples;
  for (int64_t place = 0; place < size; ++place) {
    samples.push_back(order.SampleAt(epoch * size + place));
  }
  return samples;
}

int CountEqual(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  int equal = 0;
  for (size_t i = 0; i < a.size(); ++i) equal += a[i] == b[i];
  return equal;
}

TEST(SampleOrderTest, EveryEpochVisitsEverySampleOnce) {
  for (const int64_t size : {1, 2, 7, 1000}) {
    for (int64_t epoch = 0; epoch < 5; ++epoch) {
      std::vector<int> visits(static_cast<size_t>(size));
      for (const int64_t sample : Epoch(/*seed=*/3, size, epoch)) {
        ASSERT_GE(sample, 0);
        ASSERT_LT(sample, size);
        ++visits[static_cast<size_t>(sample)];
      }
      ASSERT_EQ(visits, std::vector<int>(static_cast<size_t>(size), 1)) << "epoch " << epoch;
    }
  }
}

// One equal place is expected between two orders; nine or more happen by chance once in a million.
TEST(SampleOrderTest, EpochsAndSeedsShareNoMoreThanChance) {
  const std::vector<int64_t> order = Epoch(/*seed=*/3, 60000, /*epoch=*/1);
  EXPECT_LE(CountEqual(order, Epoch(3, 60000, 0)), 8);
  EXPECT_LE(CountEqual(order, Epoch(3, 60000, 2)), 8);
  EXPECT_LE(CountEqual(order, Epoch(4, 60000, 1)), 8);
  // A key made by adding would give the next seed this order one epoch earlier.
  EXPECT_LE(CountEqual(order, Epoch(4, 60000, 0)), 8);
}

// Checkpoints rely on it: a resumed run goes on in the same order. A change here needs a new
// version of the sample order, not new numbers in this test.
TEST(SampleOrderTest, OrderIsFrozen) {
  EXPECT_EQ(Epoch(/*seed=*/0, 10, /*epoch=*/0),
            (std::vector<int64_t>{0, 1, 6, 7, 4, 5, 9, 3, 2, 8}));
  EXPECT_EQ(Epoch(/*seed=*/42, 10, /*epoch=*/1),
            (std::vector<int64_t>{0, 4, 2, 3, 7, 8, 5, 1, 6, 9}));
  EXPECT_EQ(SampleOrder(42, 1'000'000'000).SampleAt(123'456'789'012), 800718833);
}

}  // namespace
}  // namespace langevin::data
