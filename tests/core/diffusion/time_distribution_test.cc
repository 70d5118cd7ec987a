#include "core/diffusion/time_distribution.h"

#include <cmath>
#include <vector>

#include "core/diffusion/loss_history.h"
#include "core/diffusion/parameterization.h"
#include "gtest/gtest.h"

namespace langevin::diffusion {
namespace {

using configs::DdpmConfig;
using configs::DiffusionConfig;
using configs::EdmConfig;
using configs::FlowConfig;

constexpr int64_t kTimesBatch = 64;

TEST(TimeDistributionTest, StepsAreUniform) {
  const DiffusionConfig config{.process = DdpmConfig()};
  const TimeDistribution times(config, FormulationFrom(config).process, kTimesBatch);
  std::vector<int> counts(10);
  for (int i = 0; i < 20000; ++i) ++counts[static_cast<size_t>(times.Draw(7, i)) / 100];
  for (const int count : counts) EXPECT_NEAR(count, 2000, 5 * 43);  // sqrt(20000 * .1 * .9) = 42.4.
}

TEST(TimeDistributionTest, EdmDrawsTheLogarithmOfSigmaNormally) {
  const DiffusionConfig config{.process = EdmConfig(), .data_sigma = 0.5};
  const TimeDistribution times(config, FormulationFrom(config).process, kTimesBatch);
  double sum = 0, squares = 0;
  constexpr int kDraws = 20000;
  for (int i = 0; i < kDraws; ++i) {
    const double z = (std::log(times.Draw(1, i)) + 1.2) / 1.2;
    sum += z;
    squares += z * z;
  }
  EXPECT_NEAR(sum / kDraws, 0, 5 / std::sqrt(kDraws));
  EXPECT_NEAR(squares / kDraws, 1, 5 * std::sqrt(2.0 / kDraws));
}

// One image of a batch in each part of the distribution, whatever the seed.
TEST(TimeDistributionTest, StrataCoverEveryBatch) {
  DiffusionConfig config{.process = FlowConfig()};
  config.times.stratified = true;
  const TimeDistribution times(config, FormulationFrom(config).process, kTimesBatch);
  for (uint64_t step = 0; step < 3; ++step) {
    for (int64_t i = 0; i < kTimesBatch; ++i) {
      const double t = times.Draw(9, step * kTimesBatch + i);
      EXPECT_EQ(static_cast<int64_t>(t * kTimesBatch), i);
    }
  }
  EXPECT_NE(times.Draw(9, 0), times.Draw(9, kTimesBatch));
}

// Esser et al. 2024, equation 23: the middle goes to shift / (1 + shift).
TEST(TimeDistributionTest, ShiftMovesTheMedian) {
  const DiffusionConfig config{.process = FlowConfig{.shift = 3}};
  const TimeDistribution times(config, FormulationFrom(config).process, kTimesBatch);
  int below = 0;
  for (int i = 0; i < 10000; ++i) below += times.Draw(0, i) < 0.75 ? 1 : 0;
  EXPECT_NEAR(below, 5000, 5 * 50);
}

DiffusionConfig DrawnByLoss(int64_t steps) {
  return {.process = DdpmConfig{.num_train_timesteps = steps},
          .times = {.distribution = configs::TimeDistribution::kImportance}};
}

// Before losses are known, what they are drawn by says that all are equal.
TEST(TimeDistributionTest, DrawnByLossStepsBeginUniform) {
  TimeDistribution times(DrawnByLoss(10), FormulationFrom(DrawnByLoss(10)).process, kTimesBatch);
  std::vector<double> before;
  for (int i = 0; i < 200; ++i) before.push_back(times.Draw(1, i));
  EXPECT_EQ(times.ImportanceOf(3), 1);
  times.SetFrequencies(LossHistory(10).Frequencies());
  for (int i = 0; i < 200; ++i) EXPECT_EQ(times.Draw(1, i), before[i]);
  EXPECT_EQ(times.ImportanceOf(3), 1);
}

// As many draws of each step as were asked for, and, weighted, the mean of steps drawn uniformly.
TEST(TimeDistributionTest, ImportanceChangesHowOftenAStepIsDrawnAndNotTheMean) {
  constexpr int kDraws = 100000;
  const std::vector<double> frequencies = {3, 0.1, 0.4, 0.5, 1};
  TimeDistribution times(DrawnByLoss(5), FormulationFrom(DrawnByLoss(5)).process, kTimesBatch);
  times.SetFrequencies(frequencies);
  const auto f = [](double t) { return std::exp(-2 * t) + t; };
  std::vector<double> seen(5);
  double sum = 0, squares = 0, uniform = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double t = times.Draw(1, i);
    ++seen[static_cast<size_t>(t)];
    const double value = times.ImportanceOf(t) * f(t);
    sum += value;
    squares += value * value;
  }
  double chi_square = 0;
  for (size_t t = 0; t < 5; ++t) {
    const double expected = kDraws * frequencies[t] / 5;
    chi_square += (seen[t] - expected) * (seen[t] - expected) / expected;
    uniform += f(static_cast<double>(t)) / 5;
  }
  EXPECT_LT(chi_square, 4 + 5 * std::sqrt(8.0));  // Four degrees of freedom.
  const double mean = sum / kDraws;
  EXPECT_NEAR(mean, uniform, 5 * std::sqrt((squares / kDraws - mean * mean) / kDraws));
}

// In every batch a step comes as often as asked for, up to one.
TEST(TimeDistributionTest, StrataCoverStepsDrawnByLoss) {
  DiffusionConfig config = DrawnByLoss(4);
  config.times.stratified = true;
  TimeDistribution times(config, FormulationFrom(config).process, kTimesBatch);
  const std::vector<double> frequencies = {2.6, 0.2, 0.5, 0.7};
  times.SetFrequencies(frequencies);
  for (uint64_t step = 0; step < 5; ++step) {
    std::vector<double> seen(4);
    for (int64_t i = 0; i < kTimesBatch; ++i) {
      ++seen[static_cast<size_t>(times.Draw(2, step * kTimesBatch + i))];
    }
    for (size_t t = 0; t < 4; ++t) EXPECT_NEAR(seen[t], kTimesBatch * frequencies[t] / 4, 1.001);
  }
}

TEST(TimeDistributionTest, NormalQuantilesAreThoseOfTables) {
  EXPECT_NEAR(internal::NormalQuantile(0.5), 0, 1e-12);
  EXPECT_NEAR(internal::NormalQuantile(0.975), 1.959963984540054, 1e-12);
  EXPECT_NEAR(internal::NormalQuantile(0.025), -1.959963984540054, 1e-12);
  EXPECT_NEAR(internal::NormalQuantile(1e-9), -5.997807015007687, 1e-10);
}

}  // namespace
}  // namespace langevin::diffusion
