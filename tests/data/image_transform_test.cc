#include "data/image_transform.h"

#include <cmath>
#include <cstring>
#include <vector>

#include "gtest/gtest.h"

namespace langevin::data {
namespace {

template <typename T>
std::vector<float> Transform(const ImageShape& shape, DType dtype, const IntensityMap& map,
                             const std::vector<T>& stored, bool flip = false,
                             int64_t position = 0) {
  std::vector<float> out(static_cast<size_t>(shape.values()));
  const ImageTransform transform(shape, dtype, map, /*seed=*/1, {.horizontal_flip = flip});
  ImageTransform::Scratch scratch;
  transform.Apply(position, std::as_bytes(std::span(stored)), {}, {.image = out}, scratch);
  return out;
}

TEST(ImageTransformTest, ChannelsComeFirst) {
  const ImageShape shape = {.height = 2, .width = 1, .channels = 3};
  const std::vector<float> stored = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(Transform(shape, DType::kFloat32, {}, stored), (std::vector<float>{1, 4, 2, 5, 3, 6}));
}

TEST(ImageTransformTest, BytesFillTheModelsRange) {
  std::vector<uint8_t> stored(256);
  for (int i = 0; i < 256; ++i) stored[static_cast<size_t>(i)] = static_cast<uint8_t>(i);
  const std::vector<float> out =
      Transform({.height = 1, .width = 256, .channels = 1}, DType::kUint8,
                {.scale = 1 / 127.5, .offset = -1}, stored);
  EXPECT_EQ(out[0], -1.0f);
  EXPECT_EQ(out[255], 1.0f);
  for (int i = 0; i < 256; ++i) {
    EXPECT_NEAR(out[static_cast<size_t>(i)], i / 127.5 - 1, 6e-8);
    EXPECT_EQ(std::lround((out[static_cast<size_t>(i)] + 1) * 127.5), i);  // It can be undone.
  }
}

TEST(ImageTransformTest, SixteenBitsKeepEveryValueApart) {
  std::vector<uint16_t> stored(65536);
  for (size_t i = 0; i < stored.size(); ++i) stored[i] = static_cast<uint16_t>(i);
  const std::vector<float> out =
      Transform({.height = 256, .width = 256, .channels = 1}, DType::kUint16,
                {.scale = 2 / 65535.0, .offset = -1}, stored);
  EXPECT_EQ(out.front(), -1.0f);
  EXPECT_EQ(out.back(), 1.0f);
  for (size_t i = 1; i < out.size(); ++i) ASSERT_GT(out[i], out[i - 1]) << i;
}

TEST(ImageTransformTest, FlipMirrorsRowsWhereItIsDrawn) {
  const ImageShape shape = {.height = 2, .width = 3, .channels = 2};
  const std::vector<float> stored = {1, 10, 2, 20, 3, 30, 4, 40, 5, 50, 6, 60};
  const std::vector<float> straight = {1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60};
  const std::vector<float> mirrored = {3, 2, 1, 6, 5, 4, 30, 20, 10, 60, 50, 40};
  int flips = 0;
  for (int64_t position = 0; position < 1000; ++position) {
    const bool flip = DrawHorizontalFlip(/*seed=*/1, position);
    flips += flip;
    ASSERT_EQ(Transform(shape, DType::kFloat32, {}, stored, /*flip=*/true, position),
              flip ? mirrored : straight);
    ASSERT_EQ(Transform(shape, DType::kFloat32, {}, stored, /*flip=*/false, position), straight);
  }
  // A fair coin gives 500 with a standard deviation of 16.
  EXPECT_NEAR(flips, 500, 80);
}

}  // namespace
}  // namespace langevin::data
