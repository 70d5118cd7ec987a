#include "core/optim/power_ema.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/optim/post_hoc_ema.h"
#include "core/optim/schedule.h"
#include "gtest/gtest.h"

namespace langevin::optim {
namespace {

// The roots of gamma^3 + 7 gamma^2 + (16 - std^-2) gamma + (12 - std^-2), by numpy.roots.
TEST(PowerEmaTest, GammasAreThoseOfThePolynomial) {
  EXPECT_NEAR(PowerGammaOf(0.05), 16.972198602, 1e-8);
  EXPECT_NEAR(PowerGammaOf(0.10), 6.937203938, 1e-8);
  EXPECT_NEAR(PowerGammaOf(0.15), 3.557868775, 1e-8);
  EXPECT_NEAR(PowerGammaOf(0.25), 0.719823958, 1e-8);
}

TEST(PowerEmaTest, TheFirstStepIsAllThereIsToAverage) {
  EXPECT_EQ(PowerDecayAt(0.05, 64, 64), 0);
  EXPECT_NEAR(PowerDecayAt(0.05, 6400, 64), std::pow(0.99, 17.972198602), 1e-8);
}

TEST(PowerEmaTest, NamesTellWidthsApart) {
  configs::EmaConfig config;
  EXPECT_EQ(AverageNames(config), std::vector<std::string>{"ema"});
  config.power_std = {0.10, 0.05};
  EXPECT_EQ(AverageNames(config), (std::vector<std::string>{"ema_std_0.1", "ema_std_0.05"}));
}

// A number that wanders, as weights do, and its averages.
class Wanderer {
 public:
  explicit Wanderer(std::vector<double> stds) : stds_(std::move(stds)), averages_(stds_.size()) {}

  void Step(int64_t images_seen, int64_t batch) {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    weight_ += (static_cast<double>(state_ >> 11) / 0x1p53 - 0.5) * 0.1;
    for (size_t i = 0; i < stds_.size(); ++i) {
      averages_[i] += (1 - PowerDecayAt(stds_[i], images_seen, batch)) * (weight_ - averages_[i]);
    }
  }
  double average(size_t i) const { return averages_[i]; }
  double weight() const { return weight_; }

 private:
  std::vector<double> stds_;
  std::vector<double> averages_;
  uint64_t state_ = 1;
  double weight_ = 3;
};

// By brute force: a run that tracks the width which is wanted beside the two that are stored. By
// Cauchy and Schwarz the two are no further apart than the profiles, times the spread of the number
// over the run.
TEST(PostHocEmaTest, IsTheAverageThatWasNotTracked) {
  constexpr int64_t kBatch = 16, kSteps = 4096, kSnapshots = 32;
  for (const double std : {0.02, 0.03, 0.07, 0.12, 0.2}) {
    Wanderer run({0.05, 0.10, std});
    std::vector<PowerProfile> stored;
    std::vector<double> values;
    double sum_of_weights = 0, sum_of_squares = 0;
    for (int64_t step = 1; step <= kSteps; ++step) {
      run.Step(step * kBatch, kBatch);
      sum_of_weights += run.weight();
      sum_of_squares += run.weight() * run.weight();
      if (step % (kSteps / kSnapshots) != 0) continue;
      for (const size_t i : {0, 1}) {
        stored.push_back({static_cast<double>(step * kBatch), i == 0 ? 0.05 : 0.10});
        values.push_back(run.average(i));
      }
    }
    const PostHocSum sum = PostHocEma(stored, kSteps * kBatch).Solve(std);
    double total = 0, made = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      total += sum.coefficients[i];
      made += sum.coefficients[i] * values[i];
    }
    EXPECT_NEAR(total, 1, 1e-12);
    EXPECT_LT(sum.error, 0.05);
    const double truth = run.average(2);
    const double mean = sum_of_weights / kSteps;
    const double spread = std::sqrt(sum_of_squares / kSteps - mean * mean);
    const double gamma = PowerGammaOf(std);
    const double profile = (gamma + 1) / std::sqrt(2 * gamma + 1);
    EXPECT_LT(std::abs(made - truth), sum.error * profile * spread + 1e-6) << std;
    // The tracked averages are much further off than what is made of them.
    const double tracked =
        std::max(std::abs(run.average(0) - truth), std::abs(run.average(1) - truth));
    EXPECT_LT(std::abs(made - truth), 0.03 * tracked) << std;
  }
}

TEST(PostHocEmaTest, AStoredAverageIsItself) {
  const std::vector<PowerProfile> stored = {{100, 0.05}, {100, 0.1}, {200, 0.05}, {200, 0.1}};
  const PostHocSum sum = PostHocEma(stored, 200).Solve(0.1);
  EXPECT_NEAR(sum.error, 0, 1e-6);
  for (size_t i = 0; i < stored.size(); ++i) {
    EXPECT_NEAR(sum.coefficients[i], i == 3 ? 1 : 0, 1e-6);
  }
}

TEST(PostHocEmaTest, EqualAveragesShareTheirCoefficient) {
  const PostHocSum sum = PostHocEma({{100, 0.1}, {100, 0.1}}, 100).Solve(0.1);
  EXPECT_NEAR(sum.coefficients[0], 0.5, 1e-9);
  EXPECT_NEAR(sum.coefficients[1], 0.5, 1e-9);
}

// Errors and coefficients of NumPy for the same least squares (a Gram matrix with 1e-12 on its
// diagonal, and a Lagrange multiplier for the sum).
TEST(PostHocEmaTest, SolvesWhatNumPySolves) {
  std::vector<PowerProfile> stored;
  for (int i = 1; i <= 4; ++i) {
    for (const double std : {0.05, 0.10}) stored.push_back({i * 16000.0, std});
  }
  const PostHocEma post_hoc(stored, 64000);
  EXPECT_NEAR(post_hoc.Solve(0.03).error, 0.1600, 1e-3);
  EXPECT_NEAR(post_hoc.Solve(0.07).error, 0.0347, 1e-3);
  EXPECT_NEAR(post_hoc.Solve(0.15).error, 0.1025, 1e-3);
}

TEST(PostHocEmaTest, AllOfTheRangeCanBeHadAndNothingNextToIt) {
  std::vector<PowerProfile> stored;
  for (int i = 1; i <= 8; ++i) {
    for (const double std : {0.05, 0.10}) stored.push_back({i * 640.0, std});
  }
  const PostHocEma post_hoc(stored, 8 * 640);
  const auto [least, most] = post_hoc.RangeAround(0.05);
  EXPECT_LT(least, 0.04);
  EXPECT_GT(most, 0.15);
  for (double std = least; std < most; std += 0.01) {
    EXPECT_LE(post_hoc.Solve(std).error, kMostPostHocError);
  }
  EXPECT_GT(post_hoc.Solve(least - 0.001).error, kMostPostHocError);
  EXPECT_GT(post_hoc.Solve(most + 0.001).error, kMostPostHocError);
}

}  // namespace
}  // namespace langevin::optim
