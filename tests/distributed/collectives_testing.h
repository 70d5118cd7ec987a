// What every communicator must do, whatever its backend: called on all ranks together.
#ifndef LANGEVIN_TESTS_DISTRIBUTED_COLLECTIVES_TESTING_H_
#define LANGEVIN_TESTS_DISTRIBUTED_COLLECTIVES_TESTING_H_

#include <cstdint>
#include <memory>

#include "ATen/ops/arange.h"
#include "ATen/ops/equal.h"
#include "ATen/ops/zeros.h"
#include "distributed/communicator.h"
#include "gtest/gtest.h"

namespace langevin::distributed {

// Small integers, so that sums are exact in every type: a rank's number at a place is
// (place + 3 * rank) mod 8.
inline at::Tensor NumbersOfRank(int rank, int64_t count, at::ScalarType type) {
  return (at::arange(count, at::kLong) + 3 * rank).remainder(8).to(type);
}

inline at::Tensor SumOfNumbers(int ranks, int64_t count, at::ScalarType type) {
  at::Tensor sum = at::zeros({count}, at::kLong);
  for (int rank = 0; rank < ranks; ++rank) sum += NumbersOfRank(rank, count, at::kLong);
  return sum.to(type);
}

// All collectives with slices of `count` numbers.
inline void ExpectCollectivesWork(Communicator& communicator, int64_t count, at::ScalarType type) {
  const int rank = communicator.rank();
  const int ranks = communicator.size();
  SCOPED_TRACE(testing::Message() << "rank " << rank << " of " << ranks << ", " << count << " "
                                  << c10::toString(type));

  at::Tensor reduced = NumbersOfRank(rank, count, type);
  // Started together and waited for in the end: they run in order.
  const std::unique_ptr<Work> reducing = communicator.AllReduce(reduced);

  const at::Tensor scattered = at::zeros({count}, type);
  const std::unique_ptr<Work> scattering =
      communicator.ReduceScatter(scattered, NumbersOfRank(rank, ranks * count, type));

  const at::Tensor scattered_in_place = NumbersOfRank(rank, ranks * count, type);
  const at::Tensor own_sum = scattered_in_place.narrow(0, rank * count, count);
  const std::unique_ptr<Work> scattering_in_place =
      communicator.ReduceScatter(own_sum, scattered_in_place);

  const at::Tensor gathered = at::zeros({ranks * count}, type);
  const std::unique_ptr<Work> gathering =
      communicator.AllGather(gathered, NumbersOfRank(rank, count, type));

  const at::Tensor gathered_in_place = at::zeros({ranks * count}, type);
  const at::Tensor own_slice = gathered_in_place.narrow(0, rank * count, count);
  own_slice.copy_(NumbersOfRank(rank, count, type));
  const std::unique_ptr<Work> gathering_in_place =
      communicator.AllGather(gathered_in_place, own_slice);

  const at::Tensor exchanged = at::zeros({ranks * count}, type);
  const std::unique_ptr<Work> exchanging =
      communicator.AllToAll(exchanged, NumbersOfRank(rank, ranks * count, type));

  const at::Tensor sent = NumbersOfRank(rank, count, type);
  const std::unique_ptr<Work> sending = communicator.Broadcast(sent, ranks - 1);

  for (Work* work : {reducing.get(), scattering.get(), scattering_in_place.get(), gathering.get(),
                     gathering_in_place.get(), exchanging.get(), sending.get()}) {
    const absl::Status status = work->Wait();
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_TRUE(work->Wait().ok()) << "waiting twice gives the same answer";
  }
  EXPECT_TRUE(at::equal(reduced, SumOfNumbers(ranks, count, type)));
  EXPECT_TRUE(at::equal(scattered,
                        SumOfNumbers(ranks, ranks * count, type).narrow(0, rank * count, count)));
  EXPECT_TRUE(at::equal(own_sum, scattered));
  EXPECT_TRUE(at::equal(gathered, gathered_in_place));
  for (int other = 0; other < ranks; ++other) {
    EXPECT_TRUE(
        at::equal(gathered.narrow(0, other * count, count), NumbersOfRank(other, count, type)));
    EXPECT_TRUE(
        at::equal(exchanged.narrow(0, other * count, count),
                  NumbersOfRank(other, ranks * count, type).narrow(0, rank * count, count)));
  }
  EXPECT_TRUE(at::equal(sent, NumbersOfRank(ranks - 1, count, type)));
  EXPECT_TRUE(communicator.Barrier().ok());
}

}  // namespace langevin::distributed

#endif  // LANGEVIN_TESTS_DISTRIBUTED_COLLECTIVES_TESTING_H_
