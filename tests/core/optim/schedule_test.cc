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

configs::TrainConfig RunOf(int64_t images, int64_t batch) {
  return {.total_images = images, .global_batch = batch, .microbatch = 1};
}

TEST(EmaProblemTest, WhatTheRunForgetsIsFine) {
  EXPECT_EQ(FindEmaProblem({}, RunOf(10'000'000, 64)), std::nullopt);
  // The ramp-up keeps the half-life at a twentieth of the images seen.
  EXPECT_EQ(FindEmaProblem({}, RunOf(60'000, 64)), std::nullopt);
  EXPECT_EQ(FindEmaProblem({.decay = 0, .rampup_ratio = 0}, RunOf(64, 64)), std::nullopt);
  EXPECT_EQ(FindEmaProblem({.power_std = {0.1}}, RunOf(64, 64)), std::nullopt);
}

TEST(EmaProblemTest, AHalfLifeLongerThanTheRunIsNamedWithWhatToSet) {
  const auto problem =
      FindEmaProblem({.half_life_images = 500'000, .rampup_ratio = 0}, RunOf(60'000, 64));
  ASSERT_TRUE(problem.has_value());
  EXPECT_EQ(*problem,
            "ema.half_life_images is a half-life of 500000 images, long for a run of 60000: at its "
            "end 92 % of the average, which is what is sampled and exported, would be the weights "
            "it began with; set ema.half_life_images to 6000 or less, or ema.rampup_ratio to 0.05");
  EXPECT_TRUE(FindEmaProblem({.decay = 0.9999, .rampup_ratio = 0}, RunOf(60'000, 64)).has_value());
}

// The formula against the product of the steps themselves, at the border.
TEST(EmaProblemTest, TheShareIsTheProductOfTheDecays) {
  for (const double ratio : {0.0, 0.05, 0.3, 1.0}) {
    for (int64_t images = 640; images < 200'000; images = images * 5 / 4 / 64 * 64) {
      const configs::EmaConfig config{.half_life_images = 20'000, .rampup_ratio = ratio};
      double share = 1;
      for (int64_t seen = 64; seen <= images; seen += 64) share *= EmaDecayAt(config, seen, 64);
      if (std::abs(share - 0.05) < 0.002) continue;
      EXPECT_EQ(FindEmaProblem(config, RunOf(images, 64)).has_value(), share > 0.05)
          << ratio << " " << images << " " << share;
    }
  }
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
