#include "distributed/mpi_communicator.h"

#include <chrono>
#include <cmath>
#include <thread>

#include "ATen/ops/arange.h"
#include "ATen/ops/equal.h"
#include "ATen/ops/sin.h"
#include "ATen/ops/zeros.h"
#include "distributed/flight_recorder.h"
#include "distributed/gradient_reducer.h"
#include "distributed/mpi_control.h"
#include "distributed/mpi_heartbeat.h"
#include "distributed/mpi_status.h"
#include "distributed/watchdog.h"
#include "gtest/gtest.h"
#include "tests/distributed/collectives_testing.h"

namespace langevin::distributed {
namespace {

std::unique_ptr<MpiCommunicator> MakeCommunicator() {
  auto communicator = MpiCommunicator::Create(MPI_COMM_WORLD, {});
  EXPECT_TRUE(communicator.ok()) << communicator.status();
  return *std::move(communicator);
}

// 2.5 million float32 are more than one piece of 8 MiB in each collective, with a shorter last one.
TEST(MpiCommunicatorTest, CarriesOutEveryCollective) {
  const auto communicator = MakeCommunicator();
  for (const int64_t count : {1, 1000}) {
    for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16}) {
      ExpectCollectivesWork(*communicator, count, type);
    }
  }
  ExpectCollectivesWork(*communicator, 2500001, at::kFloat);
  EXPECT_TRUE(communicator->Shutdown().ok());
}

TEST(MpiCommunicatorTest, ManyCollectivesUnderWayKeepTheirOrder) {
  const auto communicator = MakeCommunicator();
  const at::Tensor tensor = at::zeros({100}, at::kDouble);
  std::vector<std::unique_ptr<Work>> works;
  tensor.fill_(1);
  // Each sum is multiplied by the number of ranks once more.
  for (int i = 0; i < 20; ++i) works.push_back(communicator->AllReduce(tensor));
  for (const auto& work : works) ASSERT_TRUE(work->Wait().ok());
  EXPECT_EQ(tensor[99].item<double>(), std::pow(communicator->size(), 20));
  EXPECT_TRUE(communicator->Shutdown().ok());
}

TEST(MpiCommunicatorTest, AbortEndsTheWaitOfThisRank) {
  const auto communicator = MakeCommunicator();
  communicator->Abort("disk full");
  const absl::Status status = communicator->AllReduce(at::zeros({3}))->Wait();
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted) << status;
}

TEST(MpiCommunicatorTest, TensorsThatDoNotFitAreRefused) {
  const auto communicator = MakeCommunicator();
  EXPECT_EQ(communicator->AllReduce(at::zeros({2}, at::kLong))->Wait().code(),
            absl::StatusCode::kInternal);
}

TEST(MpiControlTest, TextsAndFlagsReachAllRanks) {
  const auto board = std::make_shared<PhaseBoard>();
  const auto recorder = std::make_shared<FlightRecorder>(board);
  const auto control = MpiControl::Create(MPI_COMM_WORLD, board, recorder);
  ASSERT_TRUE(control.ok()) << control.status();
  MpiControl& channel = **control;
  const auto texts = channel.AllGather(std::string(channel.rank() * 1000, 'a' + channel.rank()));
  ASSERT_TRUE(texts.ok()) << texts.status();
  ASSERT_EQ(texts->size(), channel.size());
  for (int rank = 0; rank < channel.size(); ++rank) {
    EXPECT_EQ((*texts)[rank], std::string(rank * 1000, 'a' + rank));
  }
  const auto flags = channel.CombineFlags(uint64_t{1} << (62 - channel.rank()));
  ASSERT_TRUE(flags.ok()) << flags.status();
  uint64_t expected = 0;
  for (int rank = 0; rank < channel.size(); ++rank) expected |= uint64_t{1} << (62 - rank);
  EXPECT_EQ(*flags, expected);

  channel.SetPhase("forward", 64);
  EXPECT_EQ(board->Read().phase, "forward");
  const FlightRecorder::Summary recorded = recorder->Summarize();
  EXPECT_EQ(recorded.scheduled, 2u) << "a text and a flag";
  EXPECT_EQ(recorded.under_way, 0u);
  EXPECT_TRUE(channel.Shutdown().ok());
}

// The same sum as one rank makes it alone, without MPI.
TEST(MpiGradientReducerTest, OrderedGivesTheBitsOfASingleRank) {
  constexpr int64_t kMicrobatches = 12, kLength = 700003;
  const auto gradient = [](int64_t i) {
    return at::sin(at::arange(kLength, at::kFloat) * 0.37f + static_cast<double>(i)) / 3;
  };
  std::vector<TreeNode> leaves;
  for (int64_t i = 0; i < kMicrobatches; ++i) leaves.push_back({i, i + 1});
  const at::Tensor expected = SumOverTree<at::Tensor>(
      leaves, gradient, [](at::Tensor left, at::Tensor right, bool) { return left + right; });

  const auto communicator = MakeCommunicator();
  GradientReducer reducer(*communicator, Reduction::kOrdered, kMicrobatches);
  for (int step = 0; step < 3; ++step) {
    for (int64_t i = reducer.local_run().begin; i < reducer.local_run().end; ++i) {
      ASSERT_TRUE(reducer.Accumulate(gradient(i)).ok());
    }
    const auto sum = reducer.Finish();
    ASSERT_TRUE(sum.ok()) << sum.status();
    EXPECT_TRUE(at::equal(*sum, expected));
  }
  EXPECT_TRUE(communicator->Shutdown().ok());
}

TEST(MpiHeartbeatTest, EverythingInAHeartbeatArrives) {
  const auto comm = DuplicateMpiComm(MPI_COMM_WORLD);
  ASSERT_TRUE(comm.ok());
  MpiHeartbeatTransport transport(*comm);
  const int rank = transport.rank();
  const int size = transport.size();
  const Heartbeat sent{.rank = rank,
                       .state = {.phase = std::string(100, 'p'), .images_seen = 320},
                       .collectives = {.scheduled = 5,
                                       .under_way = 4,
                                       .kind = "all_gather",
                                       .bytes = 1 << 20,
                                       .failed = 1,
                                       .starting_up = false},
                       .goodbye = true,
                       .alarm = "rank 9 is missing"};
  EXPECT_TRUE(transport.Send((rank + 1) % size, sent));
  std::vector<Heartbeat> received;
  while (received.empty()) received = transport.Receive();
  EXPECT_EQ(received[0].rank, (rank + size - 1) % size);
  EXPECT_EQ(received[0].state.phase, std::string(47, 'p')) << "cut";
  EXPECT_EQ(received[0].state.images_seen, 320);
  EXPECT_EQ(received[0].collectives.scheduled, 5u);
  EXPECT_EQ(received[0].collectives.under_way, 4u);
  EXPECT_EQ(received[0].collectives.kind, "all_gather");
  EXPECT_EQ(received[0].collectives.bytes, 1 << 20);
  EXPECT_EQ(received[0].collectives.failed, 1u);
  EXPECT_FALSE(received[0].collectives.starting_up);
  EXPECT_TRUE(received[0].goodbye);
  EXPECT_EQ(received[0].alarm, "rank 9 is missing");
  while (!transport.AllSent()) std::this_thread::yield();
  MPI_Comm copy = *comm;
  EXPECT_EQ(MPI_Comm_free(&copy), MPI_SUCCESS);
}

TEST(MpiWatchdogTest, RanksPartWithoutMissingEachOther) {
  const auto comm = DuplicateMpiComm(MPI_COMM_WORLD);
  ASSERT_TRUE(comm.ok());
  auto heartbeats = std::make_unique<MpiHeartbeatTransport>(*comm);
  const int rank = heartbeats->rank();
  const auto board = std::make_shared<PhaseBoard>();
  Watchdog watchdog(std::move(heartbeats), board, std::make_shared<FlightRecorder>(board),
                    Watchdog::Options{.deadlines = {30, 30}, .interval_seconds = 0.02},
                    [](const std::string& message) { ADD_FAILURE() << message; });
  watchdog.Start();
  std::this_thread::sleep_for(std::chrono::milliseconds(100 + 100 * rank));
  EXPECT_TRUE(watchdog.Stop().ok());
  MPI_Comm copy = *comm;
  // Would fail or hang if a heartbeat were still under way.
  EXPECT_EQ(MPI_Comm_free(&copy), MPI_SUCCESS);
}

}  // namespace
}  // namespace langevin::distributed
