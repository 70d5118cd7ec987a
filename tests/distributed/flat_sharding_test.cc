#include "distributed/flat_sharding.h"

#include <numeric>

#include "ATen/ops/arange.h"
#include "ATen/ops/equal.h"
#include "ATen/ops/zeros.h"
#include "gtest/gtest.h"
#include "tests/distributed/local_ranks.h"

namespace langevin::distributed {
namespace {

constexpr int64_t kBlock = FlatSharding::kBlock;

TEST(CutIntoBucketsTest, GoesFromTheEndInWholeParameters) {
  const std::vector<int64_t> offsets = {0, 100, 130, 190, 192};
  EXPECT_EQ(CutIntoBuckets(offsets, 200, 5, 60),
            (std::vector<Bucket>{{192, 200}, {130, 192}, {0, 130}}));
  EXPECT_EQ(CutIntoBuckets(offsets, 200, 1, 1000), (std::vector<Bucket>{{192, 200}, {0, 192}}));
  EXPECT_EQ(CutIntoBuckets(offsets, 200, 1000, 1), (std::vector<Bucket>{{0, 200}}));
  EXPECT_EQ(CutIntoBuckets({0}, 7, 1, 1), (std::vector<Bucket>{{0, 7}}));
}

TEST(CutIntoBucketsTest, RoundsBoundariesUpToUnits) {
  const std::vector<int64_t> offsets = {0, 100, 130, 170, 192};
  EXPECT_EQ(CutIntoBuckets(offsets, 200, 5, 60, 20),
            (std::vector<Bucket>{{180, 200}, {100, 180}, {0, 100}}));
  EXPECT_EQ(CutIntoBuckets(offsets, 200, 5, 60, 200), (std::vector<Bucket>{{0, 200}}));
}

TEST(FlatShardingTest, EveryNumberHasOneOwner) {
  for (const int ranks : {1, 2, 3, 5}) {
    const int64_t unit = ranks * kBlock;
    const std::vector<Bucket> buckets = {{7 * unit, 12 * unit}, {0, 7 * unit}};
    std::vector<int> owners(12 * unit);
    for (int rank = 0; rank < ranks; ++rank) {
      const FlatSharding sharding(buckets, ranks, rank, /*piece_size=*/3 * unit + 1);
      int64_t size = 0;
      for (const Bucket& shard : sharding.Shards()) {
        EXPECT_EQ(shard.begin % kBlock, 0);
        for (int64_t i = shard.begin; i < shard.end; ++i) ++owners[i];
        size += shard.size();
      }
      EXPECT_EQ(size, sharding.local_size());
      EXPECT_EQ(size, 12 * kBlock);
    }
    EXPECT_EQ(std::accumulate(owners.begin(), owners.end(), 0), 12 * unit);
    for (const int owner : owners) ASSERT_EQ(owner, 1);
  }
}

TEST(FlatShardingTest, SlicesMakeUpTheWhole) {
  RunLocalRanks(3, [](Communicator& communicator) {
    const int64_t unit = 3 * kBlock;
    const FlatSharding sharding({{2 * unit, 4 * unit}, {0, 2 * unit}}, 3, communicator.rank(),
                                unit);
    const at::Tensor whole = at::arange(4 * unit, at::kFloat);
    const at::Tensor local = sharding.TakeLocal(whole);
    EXPECT_EQ(local.numel(), sharding.local_size());
    const at::Tensor gathered = at::zeros({4 * unit});
    sharding.PutLocal(local, gathered);
    ASSERT_TRUE(sharding.AllGather(communicator, gathered).ok());
    EXPECT_TRUE(at::equal(gathered, whole));
    // The same cut of what has one number a block.
    const FlatSharding blocks = sharding.Coarser(kBlock);
    EXPECT_EQ(blocks.local_size() * kBlock, sharding.local_size());
    EXPECT_EQ(blocks.Shards()[0].begin * kBlock, sharding.Shards()[0].begin);
  });
}

}  // namespace
}  // namespace langevin::distributed
