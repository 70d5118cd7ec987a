#include "core/train/guard.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace langevin::train {
namespace {

using Verdict = Guard::Verdict;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A loss that falls and is noisy, as those of small batches are.
double UsualLoss(int step) {
  const double noise = std::sin(12.9898 * step) + std::sin(78.233 * step);
  return (0.1 + 1 / (1 + 0.05 * step)) * std::exp(0.3 * noise);
}

TEST(GuardTest, WhatIsNotFiniteIsSkipped) {
  Guard guard;
  EXPECT_EQ(guard.Judge(1, 1), Verdict::kApply);
  EXPECT_EQ(guard.Judge(kNan, 1), Verdict::kSkip);
  EXPECT_EQ(guard.Judge(1, kInfinity), Verdict::kSkip);
  EXPECT_EQ(guard.Judge(-kInfinity, 1), Verdict::kSkip);
  EXPECT_EQ(guard.skipped_in_a_row(), 3);
  EXPECT_EQ(guard.Judge(1, 1), Verdict::kApply);
  EXPECT_EQ(guard.skipped_in_a_row(), 0);
  EXPECT_EQ(guard.skipped_steps(), 3);
}

TEST(GuardTest, TooManyInARowEndTheRun) {
  Guard guard;
  for (int i = 1; i < Guard::kMostSkippedInARow; ++i) {
    ASSERT_EQ(guard.Judge(kNan, kNan), Verdict::kSkip);
  }
  Guard recovered = guard;
  EXPECT_EQ(guard.Judge(kNan, kNan), Verdict::kGiveUp);
  EXPECT_EQ(recovered.Judge(1, 1), Verdict::kApply);
  EXPECT_EQ(recovered.Judge(kNan, kNan), Verdict::kSkip);
}

TEST(GuardTest, NoiseAndAFallingLossAreNoSpikes) {
  Guard guard;
  for (int step = 0; step < 5000; ++step) {
    ASSERT_EQ(guard.Judge(UsualLoss(step), 1), Verdict::kApply) << step;
  }
  EXPECT_EQ(guard.spikes(), 0);
}

TEST(GuardTest, ASpikeIsToldOnceAndTheNextOneToo) {
  Guard guard;
  std::vector<int> spikes;
  for (int step = 0; step < 1000; ++step) {
    const bool up = (step >= 500 && step < 503) || step == 600;
    const double loss = UsualLoss(step) * (up ? 100 : 1);
    if (guard.Judge(loss, 1) == Verdict::kSpike) spikes.push_back(step);
  }
  EXPECT_EQ(spikes, (std::vector<int>{500, 600}));
  EXPECT_EQ(guard.spikes(), 2);
}

TEST(GuardTest, ALossThatStaysUpBecomesUsual) {
  Guard guard;
  for (int step = 0; step < 500; ++step) guard.Judge(UsualLoss(step), 1);
  for (int step = 500; step < 1500; ++step) guard.Judge(20 * UsualLoss(step), 1);
  EXPECT_EQ(guard.spikes(), 1);
  EXPECT_NEAR(std::log(guard.usual_loss() / (20 * UsualLoss(1500))), 0, 1);
  EXPECT_EQ(guard.Judge(20000 * UsualLoss(1500), 1), Verdict::kSpike);
}

TEST(GuardTest, LossesBelowZeroAreNotJudged) {
  Guard guard;
  for (int step = 0; step < 100; ++step) EXPECT_EQ(guard.Judge(-1 - step % 3, 1), Verdict::kApply);
  EXPECT_EQ(guard.usual_loss(), 0);
}

// Wherever the run is cut, it goes on to the same verdicts.
TEST(GuardTest, TextKeepsEveryBit) {
  const auto loss = [](int step) {
    if (step % 97 == 5) return kNan;
    return UsualLoss(step) * (step % 83 == 7 ? 50 : 1);
  };
  Guard whole;
  Guard cut;
  for (int step = 0; step < 600; ++step) {
    const auto read = Guard::FromText(cut.ToText());
    ASSERT_TRUE(read.ok()) << read.status();
    cut = *read;
    ASSERT_EQ(cut.Judge(loss(step), 1), whole.Judge(loss(step), 1));
    ASSERT_EQ(cut.ToText(), whole.ToText());
  }
  EXPECT_GT(whole.spikes(), 3);
  EXPECT_EQ(whole.skipped_steps(), 7);
  for (const std::string bad : {"", "1 2", "0 1 0 0 5 0x0p+0 0x0p+0", "0 0 0 0 5 nan 0x0p+0"}) {
    EXPECT_FALSE(Guard::FromText(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace langevin::train
