#include "data/ingest/quality/missing.h"

#include <cmath>

#include "absl/status/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/data/ingest/quality/testing.h"

namespace langevin::data {
namespace {

using configs::ImputeMode;
using testing::Each;
using testing::IsEmpty;

// A plane with a hole of NaN and infinities in it.
DecodedImage PlaneWithHole() {
  return FloatOf(32, 32, [](int64_t y, int64_t x) -> double {
    const bool in_hole = y >= 10 && y < 14 && x >= 20 && x < 23;
    if (!in_hole) return 3 + 0.1 * static_cast<double>(y) - 0.05 * static_cast<double>(x);
    return y == 10 ? NAN : y == 11 ? INFINITY : -INFINITY;
  });
}

TEST(MissingTest, WhatIsNotFiniteBecomesMaskAndZero) {
  DecodedImage image = PlaneWithHole();
  ASSERT_TRUE(FillMissing({}, image).ok());
  ASSERT_EQ(image.mask.size(), 1024u);
  for (int64_t i = 0; i < 1024; ++i) {
    const bool in_hole = i / 32 >= 10 && i / 32 < 14 && i % 32 >= 20 && i % 32 < 23;
    EXPECT_EQ(image.mask[static_cast<size_t>(i)], in_hole ? 0 : 1);
    if (in_hole) {
      EXPECT_EQ(FloatAt(image, i), 0);
    } else {
      EXPECT_NEAR(FloatAt(image, i), 3 + 0.1 * (i / 32) - 0.05 * (i % 32), 1e-5);
    }
  }
}

TEST(MissingTest, LocalMeanFollowsWhatIsAround) {
  DecodedImage image = PlaneWithHole();
  ASSERT_TRUE(FillMissing({.impute = ImputeMode::kLocalMean}, image).ok());
  for (int64_t i = 0; i < 1024; ++i) {
    // The plane changes by 0.4 over the hole.
    EXPECT_NEAR(FloatAt(image, i), 3 + 0.1 * (i / 32) - 0.05 * (i % 32), 0.25) << i;
  }
}

TEST(MissingTest, ConstantIsInPhysicalUnits) {
  DecodedImage image = GrayOf(4, 4, [](int64_t, int64_t) { return 100; });
  image.physical = {.scale = 2, .offset = -50};
  image.mask.assign(16, 1);
  image.mask[5] = 0;
  ASSERT_TRUE(FillMissing({.impute = ImputeMode::kConstant, .constant = 30}, image).ok());
  EXPECT_EQ(std::to_integer<int>(image.pixels[5]), 40);
  EXPECT_EQ(std::to_integer<int>(image.pixels[4]), 100);
  EXPECT_EQ(image.mask[5], 0);
  EXPECT_EQ(FillMissing({.impute = ImputeMode::kConstant, .constant = -60}, image).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(MissingTest, ChannelsAreFilledEachForItself) {
  DecodedImage image = {.shape = {1, 3, 3}};
  for (const int value : {10, 20, 30, 0, 0, 0, 10, 20, 30}) {
    image.pixels.push_back(static_cast<std::byte>(value));
  }
  image.mask = {1, 0, 1};
  ASSERT_TRUE(FillMissing({.impute = ImputeMode::kLocalMean}, image).ok());
  EXPECT_EQ(std::to_integer<int>(image.pixels[3]), 10);
  EXPECT_EQ(std::to_integer<int>(image.pixels[4]), 20);
  EXPECT_EQ(std::to_integer<int>(image.pixels[5]), 30);
}

TEST(MissingTest, CompleteImagesStayAndHaveNoMask) {
  DecodedImage image = Scene(1);
  const std::vector<std::byte> pixels = image.pixels;
  image.mask.assign(784, 1);
  ASSERT_TRUE(FillMissing({.impute = ImputeMode::kLocalMean}, image).ok());
  EXPECT_EQ(image.pixels, pixels);
  EXPECT_THAT(image.mask, IsEmpty());
}

TEST(MissingTest, NothingKnownIsZero) {
  DecodedImage image = FloatOf(5, 7, [](int64_t, int64_t) { return NAN; });
  ASSERT_TRUE(FillMissing({.impute = ImputeMode::kLocalMean}, image).ok());
  for (int64_t i = 0; i < 35; ++i) EXPECT_EQ(FloatAt(image, i), 0);
  EXPECT_THAT(image.mask, Each(0));
  image.mask.resize(3);
  EXPECT_EQ(FillMissing({}, image).code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace langevin::data
