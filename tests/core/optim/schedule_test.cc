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

// What EDM2's schedule gives (learning_rate_schedule of its training loop) for ref_lr 0.01,
// ref_batches 100, a batch of 64 and a ramp of 1,000 images.
TEST(LearningRateTest, InverseSqrtFallsFromTheReferenceOn) {
  configs::OptimizerConfig config;
  config.learning_rate = 0.01;
  config.warmup_images = 1000;
  config.schedule = configs::LearningRateSchedule::kInverseSqrt;
  config.reference_images = 6400;
  EXPECT_NEAR(LearningRateAt(config, 500, 10000), 0.005, 1e-15);
  EXPECT_NEAR(LearningRateAt(config, 6400, 10000), 0.01, 1e-15);
  EXPECT_NEAR(LearningRateAt(config, 25600, 10000), 0.005, 1e-15);
  EXPECT_NEAR(LearningRateAt(config, 64000, 10000), 0.01 / std::sqrt(10.0), 1e-15);
  config.reference_images = 250;  // Falls while it still warms up.
  EXPECT_NEAR(LearningRateAt(config, 500, 10000), 0.005 / std::sqrt(2.0), 1e-15);
  EXPECT_EQ(LearningRateAt(config, 500, 20000), LearningRateAt(config, 500, 10000));
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
