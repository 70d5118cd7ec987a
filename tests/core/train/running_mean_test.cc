#include "core/train/running_mean.h"

#include <cmath>

#include "gtest/gtest.h"

namespace langevin::train {
namespace {

// A resumed run must log the same digits, so not a bit may get lost on the way.
TEST(RunningMeanTest, TextKeepsEveryBit) {
  RunningMean mean;
  for (int i = 1; i < 100; ++i) mean.Add(1.0 / i, std::sqrt(i));
  const auto read = RunningMean::FromText(mean.ToText());
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read->loss_sum, mean.loss_sum);
  EXPECT_EQ(read->gradient_norm_sum, mean.gradient_norm_sum);
  EXPECT_EQ(read->steps, 99);
  EXPECT_FALSE(RunningMean::FromText("three words only").ok());
}

}  // namespace
}  // namespace langevin::train
