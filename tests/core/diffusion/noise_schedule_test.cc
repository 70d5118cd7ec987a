#include "core/diffusion/noise_schedule.h"

#include <cmath>

#include "gtest/gtest.h"

namespace langevin::diffusion {
namespace {

double PosteriorVariance(const NoiseSchedule& schedule, int64_t t) {
  return schedule.betas[t] * (1 - schedule.alphas_cumprod[t - 1]) /
         (1 - schedule.alphas_cumprod[t]);
}

// Values of Ho et al.'s schedule in double precision.
TEST(NoiseScheduleTest, LinearHasTheValuesOfDdpm) {
  const NoiseSchedule schedule = MakeNoiseSchedule(LinearBetas(1000, 1e-4, 0.02));
  EXPECT_NEAR(schedule.alphas_cumprod[999], 4.035830e-5, 1e-11);
  EXPECT_NEAR(std::sqrt(schedule.alphas_cumprod[999]), 0.006353, 5e-7);
  EXPECT_NEAR(PosteriorVariance(schedule, 1), 5.45318766e-5, 1e-13);
  EXPECT_NEAR(std::log(PosteriorVariance(schedule, 1)), -9.81672514, 1e-8);
  const auto sigma = [&](int64_t t) {
    return std::sqrt((1 - schedule.alphas_cumprod[t]) / schedule.alphas_cumprod[t]);
  };
  EXPECT_NEAR(sigma(0), 0.01000, 5e-6);
  EXPECT_NEAR(sigma(999), 157.407, 5e-4);
}

TEST(NoiseScheduleTest, CosineClipsOnlyTheLastBeta) {
  const NoiseSchedule schedule = MakeNoiseSchedule(CosineBetas(1000));
  EXPECT_NEAR(schedule.betas[0], 4.128422e-5, 1e-11);
  int clipped = 0;
  for (const double beta : schedule.betas) clipped += beta == 0.999;
  EXPECT_EQ(clipped, 1);
  EXPECT_NEAR(schedule.alphas_cumprod[999], 2.4288e-9, 1e-13);
}

TEST(NoiseScheduleTest, ScaledLinearHasTheValuesOfStableDiffusion) {
  const NoiseSchedule schedule = MakeNoiseSchedule(ScaledLinearBetas(1000, 0.00085, 0.012));
  EXPECT_NEAR(schedule.alphas_cumprod[999], 0.004660, 5e-7);
}

TEST(NoiseScheduleTest, ZeroTerminalSnrLeavesNoSignalAndKeepsTheFirstStep) {
  const std::vector<double> betas = LinearBetas(1000, 1e-4, 0.02);
  const NoiseSchedule rescaled = MakeNoiseSchedule(RescaleToZeroTerminalSnr(betas));
  EXPECT_EQ(rescaled.alphas_cumprod[999], 0);
  EXPECT_EQ(rescaled.betas[999], 1);
  EXPECT_NEAR(rescaled.alphas_cumprod[0], 1 - 1e-4, 1e-12);
}

}  // namespace
}  // namespace langevin::diffusion
