#include "distributed/watchdog.h"

#include <deque>
#include <map>
#include <memory>
#include <string>
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
      watchdogs_.push_back(std::make_unique<Watchdog>(
          std::make_unique<Transport>(*this, rank), boards_.back(),
          Watchdog::Options{timeout_seconds, /*interval_seconds=*/0.5},
          [this, rank](const std::string& message) { messages_[rank].push_back(message); }));
    }
  }

  PhaseBoard& board(int rank) { return *boards_[rank]; }
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
  for (int rank = 0; rank < 3; ++rank) {  // The first collective is behind them.
    world.board(rank).BeginWait();
    world.board(rank).EndWait();
  }
  world.board(1).SetPhase("checkpoint", 640);
  world.board(0).BeginWait();
  world.board(2).BeginWait();
  world.Pass(9.5);
  EXPECT_THAT(world.messages(0), IsEmpty());
  world.Pass(2);
  EXPECT_THAT(world.messages(0),
              ElementsAre("rank 1 is missing: last heard at images_seen 640, phase checkpoint"));
}

TEST(WatchdogTest, TheFirstCollectiveHasTwiceTheTime) {
  World world(2, 10);
  world.board(0).BeginWait();
  world.Pass(19.5);
  EXPECT_THAT(world.messages(0), IsEmpty());
  world.Pass(2);
  EXPECT_THAT(world.messages(0), SizeIs(1));
}

TEST(WatchdogTest, ManyShortWaitsAreNoLongOne) {
  World world(2, 10);
  for (int step = 0; step < 50; ++step) {
    world.board(0).BeginWait();
    world.Pass(1);
    world.board(0).EndWait();
  }
  EXPECT_THAT(world.messages(0), IsEmpty());
}

TEST(WatchdogTest, SaysSoWhenAllWaitForEachOther) {
  World world(2, 10);
  for (int rank = 0; rank < 2; ++rank) {
    world.board(rank).SetPhase(rank == 0 ? "all_reduce" : "agree", 64);
    world.board(rank).BeginWait();
  }
  world.Pass(22);
  EXPECT_THAT(world.messages(0), ElementsAre(HasSubstr("all wait for each other")));
  EXPECT_THAT(world.messages(0), ElementsAre(HasSubstr("rank 1 at images_seen 64, phase agree")));
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
  EXPECT_THAT(world.messages(0),
              ElementsAre("rank 69 is missing: last heard at images_seen 128, phase forward"));
  EXPECT_THAT(world.messages(1), IsEmpty());
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

}  // namespace
}  // namespace langevin::distributed
