#include "distributed/local_communicator.h"

#include "ATen/ops/equal.h"
#include "ATen/ops/zeros.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/distributed/collectives_testing.h"
#include "tests/distributed/local_ranks.h"

namespace langevin::distributed {
namespace {

using ::testing::HasSubstr;

TEST(LocalCommunicatorTest, CarriesOutEveryCollective) {
  for (const int ranks : {1, 2, 3, 8}) {
    for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16}) {
      RunLocalRanks(ranks, [&](Communicator& communicator) {
        EXPECT_EQ(communicator.size(), ranks);
        ExpectCollectivesWork(communicator, 5, type);
        EXPECT_TRUE(communicator.Shutdown().ok());
      });
    }
  }
}

// bfloat16 has 8 bits: rounding after each of the sums 1 + 1/256 + 1/256 + 1/256 would give 1.
TEST(LocalCommunicatorTest, AddsUpBfloat16InFloat32) {
  RunLocalRanks(4, [](Communicator& communicator) {
    const double own = communicator.rank() == 0 ? 1 : 1.0 / 256;
    at::Tensor tensor = at::full({1}, own, at::kBFloat16);
    ASSERT_TRUE(communicator.AllReduce(tensor)->Wait().ok());
    EXPECT_EQ(tensor.item<float>(), 1 + 2.0f / 128) << "1 + 3/256, rounded once, to even";
  });
}

TEST(LocalCommunicatorTest, ARankThatDoesNotComeIsNamed) {
  RunLocalRanks(
      3,
      [](Communicator& communicator) {
        if (communicator.rank() == 1) return;
        const absl::Status status = communicator.AllReduce(at::zeros({3}))->Wait();
        EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
        EXPECT_THAT(std::string(status.message()), HasSubstr("rank 1 did not come to all_reduce"));
      },
      /*timeout_seconds=*/0.1);
}

TEST(LocalCommunicatorTest, AbortEndsTheWaitOfTheOthers) {
  RunLocalRanks(2, [](Communicator& communicator) {
    if (communicator.rank() == 0) {
      communicator.Abort("disk full");
      return;
    }
    const absl::Status status = communicator.Barrier();
    EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
    EXPECT_THAT(std::string(status.message()), HasSubstr("rank 0 gave up: disk full"));
  });
}

TEST(LocalCommunicatorTest, RanksThatCallDifferentCollectivesAreTold) {
  RunLocalRanks(2, [](Communicator& communicator) {
    const at::Tensor tensor = at::zeros({communicator.rank() + 2});
    const absl::Status status = communicator.AllReduce(tensor)->Wait();
    EXPECT_THAT(std::string(status.message()),
                HasSubstr("rank 0 all_reduce of 2 Float, rank 1 all_reduce of 3 Float"));
  });
}

TEST(LocalCommunicatorTest, TensorsThatDoNotFitAreRefused) {
  RunLocalRanks(2, [](Communicator& communicator) {
    EXPECT_FALSE(communicator.AllGather(at::zeros({3}), at::zeros({2}))->Wait().ok());
    EXPECT_FALSE(communicator.AllReduce(at::zeros({2}, at::kLong))->Wait().ok());
    EXPECT_FALSE(communicator.AllReduce(at::zeros({2, 3}).t())->Wait().ok());
  });
}

// The chain that the gradient reducer is made of.
TEST(LocalCommunicatorTest, EnqueuedWorkRunsBetweenTheCollectives) {
  RunLocalRanks(3, [](Communicator& communicator) {
    const int rank = communicator.rank();
    at::Tensor value = at::full({1}, rank + 1, at::kFloat);
    const at::Tensor all = at::empty({3}, at::kFloat);
    std::vector<std::unique_ptr<Work>> works;
    works.push_back(communicator.AllReduce(value));  // 6
    works.push_back(communicator.Enqueue([value, rank]() mutable {
      value.mul_(rank);
      return absl::OkStatus();
    }));
    works.push_back(communicator.AllGather(all, value));
    for (const auto& work : works) ASSERT_TRUE(work->Wait().ok());
    EXPECT_TRUE(at::equal(all, at::tensor({0.0f, 6.0f, 12.0f})));
  });
}

TEST(LocalCommunicatorTest, AnErrorInEnqueuedWorkEndsAllRanks) {
  RunLocalRanks(2, [](Communicator& communicator) {
    const auto work = communicator.Enqueue([rank = communicator.rank()] {
      return rank == 1 ? absl::InternalError("no") : absl::OkStatus();
    });
    EXPECT_EQ(work->Wait().ok(), communicator.rank() == 0);
    EXPECT_FALSE(communicator.Barrier().ok());
  });
}

}  // namespace
}  // namespace langevin::distributed
