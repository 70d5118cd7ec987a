#include "distributed/gradient_reducer.h"

#include <functional>
#include <utility>

#include "ATen/ops/allclose.h"
#include "ATen/ops/arange.h"
#include "ATen/ops/equal.h"
#include "ATen/ops/sin.h"
#include "ATen/ops/zeros.h"
#include "gtest/gtest.h"
#include "tests/distributed/local_ranks.h"

namespace langevin::distributed {
namespace {

// Numbers of very different sizes, so that another order of summation gives other bits.
at::Tensor Gradient(int64_t microbatch, int64_t length) {
  const at::Tensor x =
      at::arange(length, at::kDouble) * 1.7 + static_cast<double>(microbatch) * 0.3;
  return (at::sin(x * 12.9898) * at::exp(at::sin(x * 78.233) * 6)).to(at::kFloat);
}

at::Tensor NaiveTreeSum(int64_t begin, int64_t end, int64_t length) {
  if (end - begin == 1) return Gradient(begin, length);
  int64_t half = 1;
  while (2 * half < end - begin) half *= 2;
  return NaiveTreeSum(begin, begin + half, length) + NaiveTreeSum(begin + half, end, length);
}

// What each rank gets, two steps in a row (the second with reused buffers and doubled numbers).
void ExpectSumOnAllRanks(int ranks, int64_t microbatches, int64_t length, Reduction kind,
                         const std::function<void(const at::Tensor&, double scale)>& check) {
  RunLocalRanks(ranks, [&](Communicator& communicator) {
    GradientReducer reducer(communicator, kind, microbatches);
    at::Tensor flat = at::empty({length}, at::kFloat);
    for (const double scale : {1.0, 2.0}) {
      for (int64_t i = reducer.local_run().begin; i < reducer.local_run().end; ++i) {
        flat.copy_(Gradient(i, length) * scale);
        const absl::Status status = reducer.Accumulate(flat);
        ASSERT_TRUE(status.ok()) << status;
      }
      const absl::StatusOr<at::Tensor> sum = reducer.Finish();
      ASSERT_TRUE(sum.ok()) << sum.status();
      EXPECT_EQ(sum->data_ptr(), flat.data_ptr()) << "the result comes in the caller's tensor";
      check(*sum, scale);
    }
  });
}

TEST(GradientReducerTest, OrderedGivesTheSameBitsForEveryNumberOfRanks) {
  for (const int64_t microbatches : {12, 16, 24}) {
    for (const int ranks : {1, 2, 3, 4, 6, 8, 12}) {
      if (microbatches % ranks != 0) continue;
      for (const int64_t length : {5, 1000, 1003}) {  // Less than the ranks, even, with a rest.
        SCOPED_TRACE(
            absl::StrFormat("%d microbatches, %d ranks, %d numbers", microbatches, ranks, length));
        const at::Tensor expected = NaiveTreeSum(0, microbatches, length);
        ExpectSumOnAllRanks(ranks, microbatches, length, Reduction::kOrdered,
                            [&](const at::Tensor& sum, double scale) {
                              EXPECT_TRUE(at::equal(sum, expected * scale));
                            });
      }
    }
  }
}

// Runs of 3 and 5 microbatches are no single nodes of the tree.
TEST(GradientReducerTest, OrderedSendsPartialSumsWhereARunIsNoSubtree) {
  for (const auto& [ranks, microbatches] : {std::pair{3, 9}, {2, 6}, {4, 12}, {5, 25}, {7, 7}}) {
    SCOPED_TRACE(absl::StrFormat("%d ranks, %d microbatches", ranks, microbatches));
    const at::Tensor expected = NaiveTreeSum(0, microbatches, 101);
    ExpectSumOnAllRanks(ranks, microbatches, 101, Reduction::kOrdered,
                        [&](const at::Tensor& sum, double scale) {
                          EXPECT_TRUE(at::equal(sum, expected * scale));
                        });
  }
}

// 1.3 million numbers are exchanged in three pieces, the last one shorter.
TEST(GradientReducerTest, OrderedIsExactForGradientsOfSeveralPieces) {
  const int64_t length = 1300001;
  const at::Tensor expected = NaiveTreeSum(0, 6, length);
  for (const int ranks : {2, 3}) {
    ExpectSumOnAllRanks(ranks, 6, length, Reduction::kOrdered,
                        [&](const at::Tensor& sum, double scale) {
                          EXPECT_TRUE(at::equal(sum, expected * scale));
                        });
  }
}

// If this failed, the tests above would show nothing.
TEST(GradientReducerTest, TheTestNumbersTellOrdersApart) {
  at::Tensor sum = at::zeros({1000}, at::kFloat);
  for (int64_t i = 0; i < 12; ++i) sum += Gradient(i, 1000);
  EXPECT_FALSE(at::equal(sum, NaiveTreeSum(0, 12, 1000)));
}

TEST(GradientReducerTest, FastGivesTheSumUpToRounding) {
  for (const int ranks : {1, 2, 3, 6}) {
    const at::Tensor expected = NaiveTreeSum(0, 12, 1003);
    ExpectSumOnAllRanks(ranks, 12, 1003, Reduction::kFast,
                        [&](const at::Tensor& sum, double scale) {
                          EXPECT_TRUE(at::allclose(sum, expected * scale, 1e-5, 1e-2));
                        });
  }
}

// Buckets only say when numbers leave, never how they are summed.
TEST(GradientReducerTest, BucketsThatLeaveEarlyGiveTheSameBits) {
  const int64_t length = 1203;
  const std::vector<Bucket> buckets = {{1200, 1203}, {333, 1200}, {0, 333}};
  for (const auto& [ranks, microbatches] :
       {std::pair{1, 4}, {2, 4}, {4, 4}, {2, 6}, {3, 6}, {3, 9}}) {
    SCOPED_TRACE(absl::StrFormat("%d ranks, %d microbatches", ranks, microbatches));
    const at::Tensor expected = NaiveTreeSum(0, microbatches, length);
    RunLocalRanks(ranks, [&](Communicator& communicator) {
      GradientReducer reducer(communicator, Reduction::kOrdered, microbatches, buckets);
      at::Tensor flat = at::empty({length}, at::kFloat);
      for (int step = 0; step < 2; ++step) {
        for (int64_t i = reducer.local_run().begin; i < reducer.local_run().end; ++i) {
          const at::Tensor gradient = Gradient(i, length);
          if (!reducer.next_is_last()) {
            ASSERT_TRUE(reducer.Accumulate(flat.copy_(gradient)).ok());
            continue;
          }
          flat.fill_(1e30);  // What is not there yet must not be looked at.
          ASSERT_TRUE(reducer.BeginLast(flat).ok());
          for (size_t bucket = 0; bucket + 1 < buckets.size(); ++bucket) {
            const auto [begin, end] = buckets[bucket];
            flat.narrow(0, begin, end - begin).copy_(gradient.narrow(0, begin, end - begin));
            ASSERT_TRUE(reducer.FinishNextBucket().ok());
          }
          flat.narrow(0, 0, 333).copy_(gradient.narrow(0, 0, 333));
        }
        const absl::StatusOr<at::Tensor> sum = reducer.Finish();
        ASSERT_TRUE(sum.ok()) << sum.status();
        EXPECT_TRUE(at::equal(*sum, expected));
      }
    });
  }
}

// ZeRO-1: each rank has the sum of its shards, with the bits that all would have.
TEST(GradientReducerTest, WithAShardingEachRankHasTheSumOfItsShards) {
  for (const Reduction kind : {Reduction::kOrdered, Reduction::kFast}) {
    for (const int ranks : {1, 2, 3}) {
      const int64_t unit = ranks * FlatSharding::kBlock, length = 5 * unit;
      const std::vector<Bucket> buckets = {{3 * unit, length}, {0, 3 * unit}};
      const at::Tensor expected = NaiveTreeSum(0, 6, length);
      RunLocalRanks(ranks, [&](Communicator& communicator) {
        const auto sharding =
            std::make_shared<FlatSharding>(buckets, ranks, communicator.rank(), unit);
        GradientReducer reducer(communicator, kind, 6, buckets, sharding);
        at::Tensor flat = at::empty({length}, at::kFloat);
        for (int64_t i = reducer.local_run().begin; i < reducer.local_run().end; ++i) {
          ASSERT_TRUE(reducer.Accumulate(flat.copy_(Gradient(i, length))).ok());
        }
        const absl::StatusOr<at::Tensor> sum = reducer.Finish();
        ASSERT_TRUE(sum.ok()) << sum.status();
        const at::Tensor mine = sharding->TakeLocal(*sum), right = sharding->TakeLocal(expected);
        EXPECT_TRUE(kind == Reduction::kOrdered ? at::equal(mine, right)
                                                : at::allclose(mine, right, 1e-5, 1e-2));
      });
    }
  }
}

// Every node of the tree is rounded to bfloat16, wherever it is computed.
TEST(GradientReducerTest, Bfloat16GivesTheSameBitsForEveryNumberOfRanks) {
  std::function<at::Tensor(int64_t, int64_t)> naive = [&](int64_t begin, int64_t end) {
    if (end - begin == 1) return Gradient(begin, 1003).to(at::kBFloat16);
    const int64_t middle = SplitPoint({begin, end});
    return naive(begin, middle) + naive(middle, end);
  };
  const at::Tensor expected = naive(0, 12);
  for (const int ranks : {1, 2, 3, 4, 6, 12}) {
    RunLocalRanks(ranks, [&](Communicator& communicator) {
      GradientReducer reducer(communicator, Reduction::kOrdered, 12);
      at::Tensor flat = at::empty({1003}, at::kBFloat16);
      for (int64_t i = reducer.local_run().begin; i < reducer.local_run().end; ++i) {
        ASSERT_TRUE(reducer.Accumulate(flat.copy_(Gradient(i, 1003))).ok());
      }
      const absl::StatusOr<at::Tensor> sum = reducer.Finish();
      ASSERT_TRUE(sum.ok()) << sum.status();
      EXPECT_TRUE(at::equal(*sum, expected)) << ranks << " ranks";
    });
  }
}

TEST(GradientReducerTest, RefusesWhatWouldGiveAWrongSum) {
  const auto communicators = LocalGroup::Make(2);
  GradientReducer uneven(*communicators[0], Reduction::kOrdered, 3);
  EXPECT_EQ(uneven.Accumulate(at::zeros({4})).code(), absl::StatusCode::kInvalidArgument);

  GradientReducer reducer(*communicators[0], Reduction::kOrdered, 4);
  EXPECT_FALSE(reducer.Finish().ok()) << "no microbatch yet";
  EXPECT_FALSE(reducer.Accumulate(at::zeros({4}, at::kDouble)).ok());
  EXPECT_TRUE(reducer.Accumulate(at::zeros({4})).ok());
  EXPECT_FALSE(reducer.Accumulate(at::zeros({5})).ok()) << "another length";
  EXPECT_FALSE(reducer.Finish().ok()) << "one microbatch is missing";
  EXPECT_TRUE(reducer.Accumulate(at::zeros({4})).ok());
  EXPECT_FALSE(reducer.Accumulate(at::zeros({4})).ok()) << "one too many";
}

TEST(TreeSumTest, LossesSumToTheSameBitsForEveryNumberOfRanks) {
  for (const at::ScalarType type : {at::kFloat, at::kDouble}) {
    const auto row = [&](int64_t i) { return Gradient(i, 3).to(type) / 3; };
    std::function<at::Tensor(int64_t, int64_t)> naive = [&](int64_t begin, int64_t end) {
      if (end - begin == 1) return row(begin);
      const int64_t middle = SplitPoint({begin, end});
      return naive(begin, middle) + naive(middle, end);
    };
    const at::Tensor expected = naive(0, 12);
    for (const int ranks : {1, 2, 3, 4, 6, 12}) {
      RunLocalRanks(ranks, [&](Communicator& communicator) {
        const int64_t count = 12 / ranks;
        at::Tensor local = at::empty({count, 3}, type);
        for (int64_t i = 0; i < count; ++i) local[i].copy_(row(communicator.rank() * count + i));
        const absl::StatusOr<at::Tensor> sum = TreeSum(communicator, 12, local);
        ASSERT_TRUE(sum.ok()) << sum.status();
        EXPECT_TRUE(at::equal(*sum, expected)) << ranks << " ranks";
      });
    }
  }
}

}  // namespace
}  // namespace langevin::distributed
