#include "configs/config_message.h"

#include <string>

#include "gtest/gtest.h"

namespace langevin::configs {
namespace {

TEST(ShownTest, IsOneShortLine) {
  EXPECT_EQ(Shown("a\nb\tc\x01"), "a?b?c?");
  EXPECT_EQ(Shown(std::string(61, 'x')), std::string(60, 'x') + "...");
  EXPECT_EQ(Shown(std::string(60, 'x')), std::string(60, 'x'));
}

TEST(NearestNameTest, FindsSlipsOfThePen) {
  const std::vector<std::string> names = {"seed", "learning_rate", "beta1", "beta2"};
  EXPECT_EQ(NearestName("learnin_rate", names), "learning_rate");
  EXPECT_EQ(NearestName("learnnig_rates", names), "learning_rate");
  EXPECT_EQ(NearestName("sed", names), "seed");
  EXPECT_EQ(NearestName("beta3", names), "beta1");  // The first of those that are equally near.
}

TEST(NearestNameTest, FindsNothingForOtherWords) {
  const std::vector<std::string> names = {"seed", "learning_rate", "ema"};
  EXPECT_EQ(NearestName("optimizer", names), std::nullopt);
  EXPECT_EQ(NearestName("x", names), std::nullopt);
  EXPECT_EQ(NearestName(std::string(1 << 20, 'e'), names), std::nullopt);
  EXPECT_EQ(NearestName("seed", {}), std::nullopt);
}

TEST(DidYouMeanTest, IsEmptyWithoutANearName) {
  EXPECT_EQ(DidYouMean("sead", {"seed"}), "; did you mean seed?");
  EXPECT_EQ(DidYouMean("optimizer", {"seed"}), "");
}

}  // namespace
}  // namespace langevin::configs
