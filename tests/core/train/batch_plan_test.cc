#include "core/train/batch_plan.h"

#include <set>
#include <string>

#include "gtest/gtest.h"

namespace langevin::train {
namespace {

configs::TrainConfig Config(int64_t global_batch, int64_t microbatch) {
  configs::TrainConfig config;
  config.global_batch = global_batch;
  config.microbatch = microbatch;
  return config;
}

// Whatever the ranks, three steps cover the same microbatches, each once.
TEST(BatchPlanTest, EveryNumberOfRanksCoversTheSamePositions) {
  for (const int ranks : {1, 2, 3, 4, 6, 12}) {
    std::multiset<int64_t> positions;
    for (int rank = 0; rank < ranks; ++rank) {
      const auto plan = BatchPlan::Create(Config(48, 4), rank, ranks);
      ASSERT_TRUE(plan.ok());
      for (int64_t k = 0; k < 3 * plan->local_microbatches; ++k) {
        positions.insert(plan->FirstPosition(/*images_seen=*/480, k));
      }
    }
    std::multiset<int64_t> expected;
    for (int64_t position = 480; position < 480 + 3 * 48; position += 4) expected.insert(position);
    EXPECT_EQ(positions, expected) << ranks << " ranks";
  }
}

TEST(BatchPlanTest, ARanksMicrobatchesAreConsecutive) {
  const auto plan = BatchPlan::Create(Config(16, 2), /*rank=*/1, /*ranks=*/2);
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->FirstPosition(0, 0), 8);
  EXPECT_EQ(plan->FirstPosition(0, 3), 14);
  EXPECT_EQ(plan->FirstPosition(0, 4), 24);  // Its first of the next step.
}

TEST(BatchPlanTest, RanksThatCannotShareAreToldWhichCan) {
  const auto plan = BatchPlan::Create(Config(16, 4), 0, 3);
  ASSERT_TRUE(absl::IsInvalidArgument(plan.status()));
  EXPECT_NE(plan.status().ToString().find("start 1, 2, 4 ranks"), std::string::npos);
  EXPECT_FALSE(BatchPlan::Create(Config(16, 4), 0, 8).ok());
}

}  // namespace
}  // namespace langevin::train
