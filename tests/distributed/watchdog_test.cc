#include "distributed/watchdog.h"

#include <chrono>
#include <deque>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace langevin::distributed {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A world of ranks whose heartbeats travel through queues in memory and whose clock stands still
// until the test moves it.
class World {
 public:
  World(int size, double timeout_seconds)
      : size_(size), stopped_(size), over_(size), messages_(size) {
    for (int rank = 0; rank < size; ++rank) {
      boards_.push_back(std::make_shared<PhaseBoard>());
      recorders_.push_back(std::make_shared<FlightRecorder>(boards_.back()));
      watchdogs_.push_back(std::make_unique<Watchdog>(
          std::make_unique<Transport>(*this, rank), boards_.back(), recorders_.back(),
          Watchdog::Options{.deadlines = {timeout_seconds, timeout_seconds}},
          [this, rank](const std::string& message) { messages_[rank].push_back(message); }));
    }
  }

  PhaseBoard& board(int rank) { return *boards_[rank]; }
  FlightRecorder& recorder(int rank) { return *recorders_[rank]; }
  Watchdog& watchdog(int rank) { return *watchdogs_[rank]; }
  // One collective, which all ranks come to and end.
  void DoOneCollective() {
    for (const auto& recorder : recorders_) recorder->End(recorder->Schedule("barrier", 0), true);
  }
  void SetStopped(int rank, bool stopped) { stopped_[rank] = stopped; }
  // Lets the rank say goodbye; without a thread, Stop does not wait.
  void Leave(int rank) { EXPECT_TRUE(watchdogs_[rank]->Stop().ok()); }
  bool IsOver(int rank) const { return over_[rank]; }
  const std::vector<std::string>& messages(int rank) const { return messages_[rank]; }

  // Lets `seconds` pass, in which every rank that runs ticks twice a second.
  void Pass(double seconds) {
    for (const double end = now_ + seconds; now_ < end;) {
      now_ += 0.5;
      for (int rank = 0; rank < size_; ++rank) {
        if (!stopped_[rank] && !over_[rank]) over_[rank] = !watchdogs_[rank]->Tick(now_);
      }
    }
  }

 private:
  class Transport : public HeartbeatTransport {
   public:
    Transport(World& world, int rank) : world_(world), rank_(rank) {}
    int rank() const override { return rank_; }
    int size() const override { return world_.size_; }
    bool Send(int peer, const Heartbeat& heartbeat) override {
      world_.mail_[peer].push_back(heartbeat);
      return true;
    }
    std::vector<Heartbeat> Receive() override {
      std::deque<Heartbeat>& mail = world_.mail_[rank_];
      const std::vector<Heartbeat> received(mail.begin(), mail.end());
      mail.clear();
      return received;
    }
    bool AllSent() override { return true; }

   private:
    World& world_;
    int rank_;
  };

  int size_;
  double now_ = 1000;
  std::vector<bool> stopped_;
  std::vector<bool> over_;  // Whose rounds have ended.
  std::vector<std::vector<std::string>> messages_;
  std::map<int, std::deque<Heartbeat>> mail_;  // By receiver.
  std::vector<std::shared_ptr<PhaseBoard>> boards_;
  std::vector<std::shared_ptr<FlightRecorder>> recorders_;
  std::vector<std::unique_ptr<Watchdog>> watchdogs_;
};

TEST(WatchdogTest, NamesASilentRankWithItsLastPhase) {
  World world(3, /*timeout_seconds=*/10);
  world.board(2).SetPhase("all_reduce", 320);
  world.Pass(5);
  world.SetStopped(2, true);
  world.Pass(9.5);
  EXPECT_THAT(world.messages(0), IsEmpty()) << "before the deadline";
  world.Pass(1.5);
  for (const int rank : {0, 1}) {
    EXPECT_THAT(world.messages(rank),
                ElementsAre("rank 2 is missing: last heard at images_seen 320, phase all_reduce"));
  }
  world.Pass(60);
  EXPECT_THAT(world.messages(0), SizeIs(1)) << "said once";
}

TEST(WatchdogTest, ARankThatNeverSpokeHasTwiceTheTime) {
  World world(2, 10);
  world.SetStopped(1, true);
  world.Pass(19.5);
  EXPECT_THAT(world.messages(0), IsEmpty());
  world.Pass(2);
  EXPECT_THAT(world.messages(0), ElementsAre(HasSubstr("rank 1 is missing: never heard")));
}

TEST(WatchdogTest, NamesALivingRankThatDoesNotComeToACollective) {
  World world(3, 10);
  world.DoOneCollective();  // The start is behind them.
  world.board(1).SetPhase("checkpoint", 640);
  world.recorder(0).Schedule("all_gather", 4096);
  world.recorder(2).Schedule("all_gather", 4096);
  world.Pass(9.5);
  EXPECT_THAT(world.messages(0), IsEmpty());
  world.Pass(2);
  EXPECT_THAT(world.messages(0),
              ElementsAre("rank 1 is missing: last heard at images_seen 640, phase checkpoint: it "
                          "has not come to all_gather #2"));
}

TEST(WatchdogTest, WhileARankStartsUpCollectivesHaveTwiceTheTime) {
  World world(2, 10);
  world.recorder(0).Schedule("gather_texts", 5, FlightRecorder::Channel::kControl);
  world.Pass(19.5);
  EXPECT_THAT(world.messages(0), IsEmpty());
  world.Pass(2);
  EXPECT_THAT(world.messages(0), SizeIs(1));
}

TEST(WatchdogTest, ManyShortCollectivesAreNoLongOne) {
  World world(2, 10);
  for (int step = 0; step < 50; ++step) {
    const uint64_t sequence = world.recorder(0).Schedule("all_reduce", 8);
    world.Pass(1);
    world.recorder(0).End(sequence, true);
  }
  EXPECT_THAT(world.messages(0), IsEmpty());
}

// It came to the collective, told so, and died there: its silence is younger than the collective.
TEST(WatchdogTest, NamesARankThatDiesInACollectiveThatAllHaveComeTo) {
  World world(3, 10);
  world.DoOneCollective();
  for (const int rank : {0, 1, 2}) {
    world.board(rank).SetPhase("all_reduce", 64);
    world.recorder(rank).Schedule("all_reduce", 4096);
  }
  world.Pass(1);
  world.SetStopped(2, true);
  world.Pass(13);
  EXPECT_THAT(world.messages(0),
              ElementsAre("rank 2 is missing: last heard at images_seen 64, phase all_reduce"));
}

// A bucket that left during backward, for whose end nobody waits so far.
TEST(WatchdogTest, ACollectiveThatNobodyWaitsForHasADeadlineToo) {
  World world(2, 10);
  world.DoOneCollective();
  for (const int rank : {0, 1}) {
    world.board(rank).SetPhase("forward_backward", 320);
    world.recorder(rank).Watch(world.recorder(rank).Schedule("all_to_all", 1 << 20),
                               [] { return false; });
  }
  world.Pass(13);
  EXPECT_THAT(
      world.messages(1),
      ElementsAre(HasSubstr("all_to_all #2 has not ended within 10 s: rank 0 at images_seen "
                            "320, phase forward_backward; rank 1 at")));
}

TEST(WatchdogTest, SaysSoWhenRanksCallDifferentCollectives) {
  World world(3, 10);
  world.DoOneCollective();
  world.recorder(0).Schedule("all_gather", 4096);
  world.recorder(1).Schedule("all_reduce", 64);
  world.recorder(2).Schedule("all_gather", 4096);
  world.Pass(13);
  EXPECT_THAT(world.messages(2),
              ElementsAre("the ranks have lost each other: rank 1 calls all_reduce of 64 bytes as "
                          "collective #2, rank 0 all_gather of 4096 bytes"));
}

TEST(WatchdogTest, DeadlinesCanBeChanged) {
  World world(2, 10);
  world.DoOneCollective();
  for (const int rank : {0, 1}) world.watchdog(rank).SetDeadlines({30, 100});
  world.recorder(0).Schedule("all_reduce", 8);
  world.Pass(95);
  EXPECT_THAT(world.messages(0), IsEmpty());
  world.recorder(0).End(2, true);
  world.SetStopped(1, true);
  world.Pass(29);
  EXPECT_THAT(world.messages(0), IsEmpty());
  world.Pass(3);
  EXPECT_THAT(world.messages(0), ElementsAre(HasSubstr("rank 1 is missing: last heard")));
}

// As when a batch system suspends the job: afterwards nobody must be missed. Rank 0 goes on first
// and finds an empty mailbox.
TEST(WatchdogTest, TimeInWhichAllWereStoppedDoesNotCount) {
  World world(2, 10);
  world.Pass(5);
  world.SetStopped(1, true);
  world.Pass(1);
  world.SetStopped(0, true);
  world.Pass(3600);
  world.SetStopped(0, false);
  world.Pass(1);
  world.SetStopped(1, false);
  world.Pass(5);
  EXPECT_THAT(world.messages(0), IsEmpty());
  EXPECT_THAT(world.messages(1), IsEmpty());
}

// In worlds too large for everyone to hear everyone, all report to rank 0.
TEST(WatchdogTest, RankZeroHearsAllOfALargeWorld) {
  World world(70, 10);
  world.board(69).SetPhase("forward", 128);
  world.Pass(5);
  world.SetStopped(69, true);
  world.Pass(12);
  // Rank 1, which does not hear rank 69, learns of it from rank 0.
  for (const int rank : {0, 1, 68}) {
    EXPECT_THAT(world.messages(rank),
                ElementsAre("rank 69 is missing: last heard at images_seen 128, phase forward"));
  }
}

TEST(WatchdogTest, InALargeWorldRankZeroNamesTheRankThatOthersWaitFor) {
  World world(70, 10);
  world.DoOneCollective();
  world.board(69).SetPhase("load", 128);
  for (int rank = 0; rank < 69; ++rank) world.recorder(rank).Schedule("all_gather", 64);
  world.Pass(12);
  for (const int rank : {0, 1, 69}) {
    EXPECT_THAT(world.messages(rank),
                ElementsAre("rank 69 is missing: last heard at images_seen 128, phase load: it has "
                            "not come to all_gather #2"));
  }
}

// They end a minute apart, as when one of them still writes a report.
TEST(WatchdogTest, RanksThatSayGoodbyeAreNotMissedAndMissNobodyWhoLives) {
  World world(3, 10);
  world.Pass(5);
  world.Leave(0);
  world.Pass(60);
  EXPECT_FALSE(world.IsOver(0)) << "it waits for the others' goodbye";
  world.Leave(1);
  world.Pass(60);
  world.Leave(2);
  world.Pass(2);
  for (const int rank : {0, 1, 2}) {
    EXPECT_TRUE(world.IsOver(rank));
    EXPECT_THAT(world.messages(rank), IsEmpty());
  }
}

TEST(WatchdogTest, ARankThatDiesWhileOthersPartIsMissed) {
  World world(2, 10);
  world.Pass(5);
  world.Leave(0);
  world.SetStopped(1, true);
  world.Pass(12);
  EXPECT_THAT(world.messages(0), ElementsAre(HasSubstr("rank 1 is missing")));
}

// Heartbeats between watchdogs that run, each with its thread.
class Mailboxes {
 public:
  explicit Mailboxes(int size) : mail_(size) {}

  std::unique_ptr<HeartbeatTransport> TransportOf(int rank) {
    return std::make_unique<Transport>(*this, rank);
  }

 private:
  class Transport : public HeartbeatTransport {
   public:
    Transport(Mailboxes& boxes, int rank) : boxes_(boxes), rank_(rank) {}
    int rank() const override { return rank_; }
    int size() const override { return static_cast<int>(boxes_.mail_.size()); }
    bool Send(int peer, const Heartbeat& heartbeat) override {
      const std::lock_guard lock(boxes_.mutex_);
      boxes_.mail_[peer].push_back(heartbeat);
      return true;
    }
    std::vector<Heartbeat> Receive() override {
      const std::lock_guard lock(boxes_.mutex_);
      return std::exchange(boxes_.mail_[rank_], {});
    }
    bool AllSent() override { return true; }

   private:
    Mailboxes& boxes_;
    int rank_;
  };

  std::mutex mutex_;
  std::vector<std::vector<Heartbeat>> mail_;
};

struct WatchedRank {
  WatchedRank(Mailboxes& boxes, int rank, double deadline)
      : watchdog(boxes.TransportOf(rank), board, recorder,
                 {.deadlines = {deadline, deadline}, .interval_seconds = 0.005},
                 [this](const std::string& text) { message.set_value(text); }) {
    watchdog.Start();
  }
  std::shared_ptr<PhaseBoard> board = std::make_shared<PhaseBoard>();
  std::shared_ptr<FlightRecorder> recorder = std::make_shared<FlightRecorder>(board);
  std::promise<std::string> message;
  Watchdog watchdog;
};

TEST(WatchdogThreadsTest, RanksThatWorkPartInPeace) {
  Mailboxes boxes(3);
  std::vector<std::thread> threads;
  for (int rank = 0; rank < 3; ++rank) {
    threads.emplace_back([&boxes, rank] {
      WatchedRank watched(boxes, rank, /*deadline=*/60);
      for (int step = 0; step < 200 * (rank + 1); ++step) {
        watched.board->SetPhase("all_reduce", step);
        const ScopedWait wait(watched.board.get());
        watched.recorder->End(watched.recorder->Schedule("all_reduce", 8), true);
        watched.watchdog.SetDeadlines({50, 50});
      }
      EXPECT_TRUE(watched.watchdog.Stop().ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(WatchdogThreadsTest, AllHearOfTheRankThatIsGone) {
  Mailboxes boxes(3);
  WatchedRank first(boxes, 0, /*deadline=*/0.5), second(boxes, 1, /*deadline=*/3600);
  {
    WatchedRank third(boxes, 2, 3600);
    third.board->SetPhase("load", 64);
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  const std::string expected = "rank 2 is missing: last heard at images_seen 64, phase load";
  EXPECT_EQ(first.message.get_future().get(), expected);
  EXPECT_EQ(second.message.get_future().get(), expected) << "from the first";
  EXPECT_FALSE(first.watchdog.Stop().ok());
}

}  // namespace
}  // namespace langevin::distributed
