#include "core/optim/schedule.h"

#include <cmath>

#include "gtest/gtest.h"

namespace langevin::optim {
namespace {

TEST(LearningRateTest, RisesOverTheWarmUpAndThenStays) {
  configs::OptimizerConfig config;
  config.learning_rate = 1e-3;
  config.warmup_images = 1000;
  EXPECT_NEAR(LearningRateAt(config, 0, 10000), 0, 1e-18);
  EXPECT_NEAR(LearningRateAt(config, 250, 10000), 2.5e-4, 1e-12);
  EXPECT_NEAR(LearningRateAt(config, 1000, 10000), 1e-3, 1e-12);
  EXPECT_NEAR(LearningRateAt(config, 10000, 10000), 1e-3, 1e-12);
}

TEST(LearningRateTest, DecaysEndAtZero) {
  configs::OptimizerConfig config;
  config.learning_rate = 1e-3;
  config.schedule = configs::LearningRateSchedule::kLinearDecay;
  EXPECT_NEAR(LearningRateAt(config, 5000, 10000), 5e-4, 1e-12);
  EXPECT_NEAR(LearningRateAt(config, 10000, 10000), 0, 1e-12);
  config.schedule = configs::LearningRateSchedule::kCosineDecay;
  EXPECT_NEAR(LearningRateAt(config, 2500, 10000), 1e-3 * (1 + std::sqrt(0.5)) / 2, 1e-12);
  EXPECT_NEAR(LearningRateAt(config, 20000, 10000), 0, 1e-12);
}

TEST(EmaDecayTest, DecayAndHalfLifeAreTheSameThing) {
  configs::EmaConfig by_decay;
  by_decay.decay = 0.995;
  by_decay.rampup_ratio = 0;
  EXPECT_NEAR(EmaDecayAt(by_decay, 64000, 64), 0.995, 1e-12);
  configs::EmaConfig by_half_life;
  by_half_life.half_life_images = 6400;
  by_half_life.rampup_ratio = 0;
  EXPECT_NEAR(std::pow(EmaDecayAt(by_half_life, 64000, 64), 100), 0.5, 1e-12);
}

// EDM's loop: half-life at most 5 % of the images seen.
TEST(EmaDecayTest, RampUpLimitsTheHalfLifeOfAYoungRun) {
  configs::EmaConfig config;
  config.half_life_images = 500000;
  config.rampup_ratio = 0.05;
  EXPECT_NEAR(EmaDecayAt(config, 1000, 50), std::pow(0.5, 50 / (0.05 * 1000)), 1e-12);
  EXPECT_NEAR(EmaDecayAt(config, 100000000, 50), std::pow(0.5, 50 / 500000.0), 1e-12);
}

}  // namespace
}  // namespace langevin::optim
