// Spacings of noise levels, against published values and SciPy's.
#include "core/diffusion/time_grid.h"

#include <cmath>

#include "core/diffusion/scheduler_grid.h"
#include "gtest/gtest.h"

namespace langevin::diffusion {
namespace {

// shared/numerics.md, 6: EDM's 18 levels.
TEST(TimeGridTest, KarrasLevelsAreThePapers) {
  const std::vector<double> expected = {80,     57.586, 40.786,  28.375,  19.352,  12.910,
                                        8.4009, 5.3152, 3.2568,  1.9233,  1.0882,  .58535,
                                        .29644, .13952, .059947, .022935, .007528, .002};
  const std::vector<double> values = KarrasSpaced(80, 0.002, 7, 18);
  ASSERT_EQ(values.size(), expected.size());
  for (size_t i = 0; i < values.size(); ++i) {
    EXPECT_NEAR(values[i] / expected[i], 1, 1e-4) << i;
  }
}

// scipy.stats.beta.ppf([1, 0.75, 0.5, 0.25, 0], 0.6, 0.6).
TEST(TimeGridTest, BetaLevelsAreScipys) {
  const std::vector<double> values = BetaSpaced(1, 0, 5);
  const double upper = 0.824319621347305;
  const std::vector<double> expected = {1, upper, 0.5, 1 - upper, 0};
  for (size_t i = 0; i < values.size(); ++i) EXPECT_NEAR(values[i], expected[i], 1e-12) << i;
}

TEST(TimeGridTest, LogSpacedIsEvenInLambdaAndOneStepIsTheFirst) {
  const std::vector<double> values = LogSpaced(100, 0.01, 5);
  EXPECT_NEAR(values[2], 1, 1e-12);
  EXPECT_EQ(LogSpaced(100, 0.01, 1).size(), 1);
  EXPECT_NEAR(LogSpaced(100, 0.01, 1)[0], 100, 1e-10);
}

// Esser et al. 2024: with shift 3 the middle is at 3/4.
TEST(TimeGridTest, ShiftsMoveTheMiddleAndKeepTheEnds) {
  EXPECT_DOUBLE_EQ(ShiftedTime(0.5, 3), 0.75);
  EXPECT_DOUBLE_EQ(ShiftedTime(1, 3), 1);
  EXPECT_DOUBLE_EQ(ShiftedTime(0, 3), 0);
}

TEST(TimeGridTest, GridsFallToACleanImage) {
  for (const char* name : {"EDMEulerScheduler", "FlowMatchEulerDiscreteScheduler",
                           "ScoreSdeVeScheduler", "ScoreSdeVpScheduler", "LangevinScheduler"}) {
    const SchedulerConfig config = SchedulerConfigOf(name);
    const auto formulation = FormulationFrom(config);
    ASSERT_TRUE(formulation.ok()) << name;
    for (const Spacing spacing : {Spacing::kDefault, Spacing::kKarras, Spacing::kExponential,
                                  Spacing::kBeta, Spacing::kUniform}) {
      for (const int64_t steps : {1, 2, 17}) {
        const auto grid = ContinuousGrid(config, *formulation->process, spacing, steps);
        ASSERT_TRUE(grid.ok()) << name;
        ASSERT_EQ(grid->steps(), steps) << name;
        for (size_t i = 0; i < grid->steps(); ++i) {
          const NoiseLevel &from = grid->levels[i], &to = grid->levels[i + 1];
          EXPECT_GT(from.sigma * to.alpha, to.sigma * from.alpha) << name << " " << i;
        }
        EXPECT_EQ(grid->levels.back().sigma, 0) << name;
      }
    }
  }
}

}  // namespace
}  // namespace langevin::diffusion
