#include "distributed/recording_communicator.h"

#include <chrono>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "ATen/ops/ones.h"
#include "ATen/ops/zeros.h"
#include "distributed/collective_queue.h"
#include "distributed/local_communicator.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/distributed/collectives_testing.h"

namespace langevin::distributed {
namespace {

using ::testing::HasSubstr;
using State = FlightRecorder::State;

struct RecordedRank {
  explicit RecordedRank(std::unique_ptr<Communicator> inner)
      : communicator(MakeRecordingCommunicator(std::move(inner), recorder, board)) {}
  std::shared_ptr<PhaseBoard> board = std::make_shared<PhaseBoard>();
  std::shared_ptr<FlightRecorder> recorder = std::make_shared<FlightRecorder>(board);
  std::unique_ptr<Communicator> communicator;
};

void RunRecordedRanks(int size, double timeout_seconds,
                      const std::function<void(RecordedRank&)>& body) {
  std::vector<std::thread> threads;
  LocalGroup group(size, timeout_seconds);
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&body, inner = group.MakeCommunicator(rank)]() mutable {
      RecordedRank recorded(std::move(inner));
      body(recorded);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(RecordingCommunicatorTest, EveryCollectiveWorksAndIsRecorded) {
  RunRecordedRanks(3, 60, [](RecordedRank& rank) {
    EXPECT_EQ(rank.communicator->backend_name(), "local");
    ExpectCollectivesWork(*rank.communicator, 100, at::kFloat);
    EXPECT_TRUE(rank.communicator->Shutdown().ok());
    std::vector<std::string> kinds;
    for (const FlightRecorder::Entry& entry : rank.recorder->Entries()) {
      kinds.push_back(entry.kind);
      EXPECT_EQ(entry.state, State::kCompleted) << entry.kind;
    }
    EXPECT_THAT(kinds, testing::ElementsAre("all_reduce", "reduce_scatter", "reduce_scatter",
                                            "all_gather", "all_gather", "all_to_all", "broadcast",
                                            "barrier", "shutdown"));
    EXPECT_EQ(rank.recorder->Entries()[0].bytes, 400);
    EXPECT_EQ(rank.recorder->Entries()[3].bytes, 1200);
  });
}

TEST(RecordingCommunicatorTest, WhatNobodyWaitsForIsSeenToEnd) {
  RunRecordedRanks(2, 60, [](RecordedRank& rank) {
    rank.communicator->AllReduce(at::zeros({3}));  // The Work is thrown away.
    EXPECT_TRUE(rank.communicator->Barrier().ok());
    EXPECT_EQ(rank.recorder->Entries()[0].state, State::kCompleted);
    EXPECT_EQ(rank.recorder->Summarize().under_way, 0u);
  });
}

TEST(RecordingCommunicatorTest, ShowsTheCollectiveThatARankDoesNotComeTo) {
  RunRecordedRanks(2, 0.2, [](RecordedRank& rank) {
    if (rank.communicator->rank() == 1) return;
    rank.board->SetPhase("all_reduce", 64);
    const std::unique_ptr<Work> work = rank.communicator->AllReduce(at::zeros({3}));
    EXPECT_EQ(rank.recorder->Summarize().under_way, 1u);
    EXPECT_EQ(rank.recorder->Summarize().kind, "all_reduce");
    EXPECT_FALSE(work->Wait().ok());
    EXPECT_EQ(rank.recorder->Entries()[0].state, State::kFailed);
    EXPECT_EQ(rank.recorder->Summarize().failed, 1u);
    const std::vector<PhaseTime> times = rank.board->TakeTimes();
    ASSERT_EQ(times.size(), 2u);
    EXPECT_EQ(times[1].phase, "all_reduce");
    EXPECT_GT(times[1].waiting_s, 0.1) << "the wait was for another rank";
  });
}

// The thread behind MpiCommunicator, with threads of one process in place of MPI.
class QueuedRank {
 public:
  explicit QueuedRank(std::unique_ptr<Communicator> inner, double timeout_seconds = 60)
      : inner_(std::move(inner)),
        queue_(
            [this](const Collective& collective) {
              return inner_->AllReduce(collective.output)->Wait();
            },
            timeout_seconds) {}
  CollectiveQueue& queue() { return queue_; }

 private:
  std::unique_ptr<Communicator> inner_;
  CollectiveQueue queue_;
};

TEST(CollectiveQueueTest, CarriesOutInOrderWhileTheCallerGoesOn) {
  LocalGroup group(2);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 2; ++rank) {
    threads.emplace_back([&group, rank] {
      QueuedRank queued(group.MakeCommunicator(rank));
      const at::Tensor sum = at::ones({4}, at::kDouble);
      std::vector<std::unique_ptr<Work>> works;
      for (int i = 0; i < 20; ++i) {
        works.push_back(queued.queue().Add({CollectiveKind::kAllReduce, sum, {}}));
      }
      for (const auto& work : works) {
        EXPECT_TRUE(work->Wait().ok());
        EXPECT_EQ(work->Poll(), Work::Progress::kEnded);
      }
      EXPECT_EQ(sum[3].item<double>(), 1 << 20);
      queued.queue().Finish();
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(CollectiveQueueTest, WhatTheRunnerThrowsIsAnError) {
  CollectiveQueue queue([](const Collective&) -> absl::Status { throw std::bad_alloc(); }, 60);
  const absl::Status status = queue.Add({CollectiveKind::kBarrier, {}, {}})->Wait();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted) << status;
  const absl::Status next = queue.Add({CollectiveKind::kBarrier, {}, {}})->Wait();
  EXPECT_EQ(next.code(), absl::StatusCode::kResourceExhausted) << "it is of no more use";
}

TEST(CollectiveQueueTest, BreakEndsAWaitAndGoneQueuesLeaveNoThreadBehindThatCanEnd) {
  LocalGroup group(2, /*timeout_seconds=*/0.3);
  auto queued = std::make_unique<QueuedRank>(group.MakeCommunicator(0));
  const std::unique_ptr<Work> work =
      queued->queue().Add({CollectiveKind::kAllReduce, at::ones({4}), {}});
  EXPECT_NE(work->Poll(), Work::Progress::kEnded);
  queued->queue().Break(absl::AbortedError("disk full"));
  EXPECT_THAT(std::string(work->Wait().message()), HasSubstr("disk full"));
  // Rank 1 never comes: after 0.3 s the runner gives up, and the thread ends by itself.
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  queued.reset();
}

}  // namespace
}  // namespace langevin::distributed
