#include "distributed/flight_recorder.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace langevin::distributed {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using State = FlightRecorder::State;
using Channel = FlightRecorder::Channel;

class FlightRecorderTest : public testing::Test {
 protected:
  double now_ = 100;
  std::shared_ptr<PhaseBoard> board_ = std::make_shared<PhaseBoard>([this] { return now_; });
  FlightRecorder recorder_{board_, [this] { return now_; }};
};

TEST_F(FlightRecorderTest, ACollectiveGoesFromScheduledToCompleted) {
  board_->SetPhase("forward_backward", 320);
  bool first_ended = false, second_ended = false;
  const uint64_t first = recorder_.Schedule("all_to_all", 1024);
  recorder_.Watch(first, [&] { return first_ended; });
  const uint64_t second = recorder_.Schedule("all_gather", 2048);
  recorder_.Watch(second, [&] { return second_ended; });
  EXPECT_EQ(first, 1u);
  EXPECT_EQ(second, 2u);
  // They are carried out in order: the second waits for the first.
  EXPECT_EQ(recorder_.Entries()[0].state, State::kStarted);
  EXPECT_EQ(recorder_.Entries()[1].state, State::kScheduled);
  EXPECT_TRUE(recorder_.Summarize().starting_up);

  now_ = 103;
  first_ended = true;
  const std::vector<FlightRecorder::Entry> entries = recorder_.Entries();
  EXPECT_EQ(entries[0].state, State::kCompleted);
  EXPECT_EQ(entries[0].kind, "all_to_all");
  EXPECT_EQ(entries[0].bytes, 1024);
  EXPECT_EQ(entries[0].where.phase, "forward_backward");
  EXPECT_EQ(entries[0].where.images_seen, 320);
  EXPECT_EQ(entries[0].scheduled_at, 100);
  EXPECT_EQ(entries[1].state, State::kStarted);
  EXPECT_EQ(entries[1].changed_at, 103);

  const FlightRecorder::Summary summary = recorder_.Summarize();
  EXPECT_EQ(summary.scheduled, 2u);
  EXPECT_EQ(summary.under_way, 2u);
  EXPECT_EQ(summary.kind, "all_gather");
  EXPECT_EQ(summary.bytes, 2048);
  EXPECT_FALSE(summary.starting_up);
  recorder_.End(second, true);
  EXPECT_EQ(recorder_.Summarize().under_way, 0u);
}

TEST_F(FlightRecorderTest, TheControlChannelDoesNotWaitForTensors) {
  recorder_.Schedule("all_to_all", 1024);
  const uint64_t flags = recorder_.Schedule("combine_flags", 8, Channel::kControl);
  EXPECT_EQ(recorder_.Entries()[1].state, State::kStarted);
  recorder_.End(flags, true);
  EXPECT_EQ(recorder_.Entries()[1].state, State::kCompleted);
  EXPECT_EQ(recorder_.Summarize().under_way, 1u);
  EXPECT_TRUE(recorder_.Summarize().starting_up) << "no collective of tensors has ended";
}

TEST_F(FlightRecorderTest, AFailureCountsAlsoWhenItIsLearntOfLater) {
  recorder_.End(recorder_.Schedule("all_reduce", 4), false);
  const uint64_t second = recorder_.Schedule("all_reduce", 4);
  recorder_.Watch(second, [] { return true; });
  EXPECT_EQ(recorder_.Entries()[1].state, State::kCompleted);
  recorder_.End(second, false);
  EXPECT_EQ(recorder_.Entries()[1].state, State::kFailed);
  recorder_.End(second, false);
  EXPECT_EQ(recorder_.Summarize().failed, 2u);
}

TEST_F(FlightRecorderTest, KeepsTheLast256) {
  const uint64_t never_ends = recorder_.Schedule("broadcast", 7);
  for (int i = 0; i < 1000; ++i) recorder_.End(recorder_.Schedule("all_reduce", i), true);
  const std::vector<FlightRecorder::Entry> entries = recorder_.Entries();
  ASSERT_EQ(entries.size(), FlightRecorder::kCapacity);
  EXPECT_EQ(entries.front().sequence, 1001 - 255u);
  EXPECT_EQ(entries.back().sequence, 1001u);
  EXPECT_EQ(entries.back().bytes, 999);
  EXPECT_EQ(recorder_.Summarize().under_way, never_ends) << "though it has left the ring";
  recorder_.End(never_ends, true);
  EXPECT_EQ(recorder_.Summarize().under_way, 0u);
}

TEST_F(FlightRecorderTest, TellsAPersonTotalsAndTheNewest) {
  board_->SetPhase("load", 0);
  recorder_.End(recorder_.Schedule("combine_flags", 8, Channel::kControl), true);
  recorder_.End(recorder_.Schedule("barrier", 0), false);
  board_->SetPhase("all_reduce", 640);
  now_ = 110;
  recorder_.Schedule("all_gather", 4096);
  now_ = 112.5;
  EXPECT_EQ(
      recorder_.Describe(2),
      "3 collectives: 1 completed, 1 failed, 1 under way; the last 2:\n"
      "  #2 barrier, 0 bytes: failed 12.5 s ago; scheduled 12.5 s ago at images_seen 0, phase "
      "load\n"
      "  #3 all_gather, 4096 bytes: started 2.5 s ago; scheduled 2.5 s ago at images_seen 640, "
      "phase all_reduce");
  EXPECT_THAT(recorder_.Describe(256), HasSubstr("#1 combine_flags"));
}

// The training thread schedules and ends, a progress thread finishes, the watchdog looks.
TEST(FlightRecorderThreadsTest, EachMayCallAtAnyTime) {
  const auto board = std::make_shared<PhaseBoard>();
  FlightRecorder recorder(board);
  constexpr int kCollectives = 20000;
  std::atomic<int> done = 0;
  std::atomic<bool> over = false;
  std::thread watchdog([&] {
    while (!over) {
      const FlightRecorder::Summary summary = recorder.Summarize();
      EXPECT_LE(summary.under_way, summary.scheduled);
      EXPECT_THAT(recorder.Describe(16), Not(HasSubstr("unknown")));
    }
  });
  std::thread progress([&] {
    while (done < kCollectives) ++done;
  });
  for (int i = 0; i < kCollectives; ++i) {
    board->SetPhase("all_reduce", i);
    const uint64_t sequence = recorder.Schedule("all_reduce", i);
    if (i % 3 == 0) {
      recorder.End(sequence, true);
    } else {
      recorder.Watch(sequence, [&done, i] { return done > i; });
    }
  }
  progress.join();
  EXPECT_EQ(recorder.Summarize().under_way, 0u);
  over = true;
  watchdog.join();
}

}  // namespace
}  // namespace langevin::distributed
