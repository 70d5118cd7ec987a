#include "distributed/stragglers.h"

#include <memory>
#include <thread>
#include <vector>

#include "distributed/control.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace langevin::distributed {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Ranks on hosts a, b, c, ... that load and compute for so many seconds, and wait for the slowest.
std::vector<RankPace> Paces(const std::vector<std::pair<double, double>>& load_and_compute) {
  std::vector<RankPace> paces;
  for (const auto& [load, compute] : load_and_compute) {
    paces.push_back({.host = std::string(1, static_cast<char>('a' + paces.size())),
                     .times = {{"start", 50, 0},
                               {"load", load, 0},
                               {"forward_backward", compute, 0},
                               {"all_reduce", 0.1, 100 - load - compute}}});
  }
  return paces;
}

TEST(PhaseBoardTest, TimesAreBookedByPhaseBusyAndWaiting) {
  double now = 0;
  PhaseBoard board([&] { return now; });
  now = 1;
  board.SetPhase("load", 0);
  now = 3;
  board.SetPhase("all_reduce", 0);
  now = 4;
  {
    const ScopedWait wait(&board);
    now = 10;
  }
  now = 10.5;
  board.SetPhase("load", 64);
  now = 12.5;
  const std::vector<PhaseTime> times = board.TakeTimes();
  ASSERT_EQ(times.size(), 3u);
  EXPECT_EQ(times[0].phase, "start");
  EXPECT_EQ(times[0].busy_s, 1);
  EXPECT_EQ(times[1].phase, "load");
  EXPECT_EQ(times[1].busy_s, 4);
  EXPECT_EQ(times[2].busy_s, 1.5);
  EXPECT_EQ(times[2].waiting_s, 6);
  now = 13;
  EXPECT_EQ(board.TakeTimes()[0].busy_s, 0.5) << "since the last call";
}

TEST(StragglerDetectorTest, NamesRankHostAndPhaseOfOneThatIsSlowAgainAndAgain) {
  StragglerDetector detector;
  const auto paces = Paces({{1, 10}, {1, 10.2}, {6, 10}, {1.1, 10}});
  for (int point = 1; point < StragglerDetector::kLoggingPoints; ++point) {
    const PaceReport report = detector.Judge(paces);
    EXPECT_THAT(report.warning, IsEmpty()) << "once can be chance";
    EXPECT_NEAR(report.spread, 16.1 / 11.2, 0.02);
  }
  EXPECT_THAT(detector.Judge(paces).warning,
              AllOf(HasSubstr("rank 2 on c is slow"),
                    HasSubstr("phase load: 6.00 s against 1.00 s"), HasSubstr("1.4 times")));
  EXPECT_THAT(detector.Judge(paces).warning, IsEmpty()) << "said once";
  detector.Judge(Paces({{1, 10}, {1, 10}, {1, 10}, {1, 10}}));
  for (int point = 1; point < StragglerDetector::kLoggingPoints; ++point) detector.Judge(paces);
  EXPECT_THAT(detector.Judge(paces).warning, HasSubstr("rank 2")) << "it had kept up in between";
}

TEST(StragglerDetectorTest, OfTwoRanksTheSlowerIsFound) {
  StragglerDetector detector;
  std::string warnings;
  for (int point = 0; point < 5; ++point) {
    warnings += detector.Judge(Paces({{1, 20}, {1, 10}})).warning;
  }
  EXPECT_THAT(warnings, AllOf(HasSubstr("rank 0 on a"), HasSubstr("phase forward_backward")));
}

TEST(StragglerDetectorTest, SmallOrChangingDifferencesAreNoWarning) {
  StragglerDetector detector;
  for (int point = 0; point < 9; ++point) {
    EXPECT_THAT(detector.Judge(Paces({{1, 10}, {1, 12}, {2, 10}})).warning, IsEmpty());
    EXPECT_THAT(detector.Judge(Paces({{1, 10}, {1, point % 2 == 0 ? 20. : 10.}, {1, 10}})).warning,
                IsEmpty());
    EXPECT_THAT(detector.Judge(Paces({{0.01, 0.1}, {0.01, 0.3}, {0.01, 0.1}})).warning, IsEmpty());
  }
  EXPECT_EQ(detector.Judge(Paces({{5, 5}})).spread, 1) << "alone";
}

TEST(ComparePacesTest, RankZeroHearsOfAll) {
  const std::vector<std::unique_ptr<ControlChannel>> controls = MakeLocalControls(2);
  std::vector<std::thread> threads;
  for (const auto& control : controls) {
    threads.emplace_back([&control = *control] {
      StragglerDetector detector;
      PaceReport report;
      for (int point = 0; point < StragglerDetector::kLoggingPoints; ++point) {
        control.SetPhase("load", point);
        if (control.rank() == 1) std::this_thread::sleep_for(std::chrono::milliseconds(400));
        control.SetPhase("optimizer", point);
        const auto compared = ComparePaces(control, detector);
        ASSERT_TRUE(compared.ok()) << compared.status();
        report = *compared;
      }
      if (control.rank() == 0) {
        EXPECT_THAT(report.warning, AllOf(HasSubstr("rank 1 on "), HasSubstr("phase load")));
        EXPECT_GT(report.spread, 1.3);
      } else {
        EXPECT_THAT(report.warning, IsEmpty());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace langevin::distributed
