#include "data/ingest/quality/measures.h"

#include <bit>
#include <cmath>
#include <limits>
#include <set>

#include "data/ingest/quality/likeness.h"
#include "gtest/gtest.h"
#include "tests/data/ingest/quality/testing.h"

namespace langevin::data {
namespace {

DecodedImage Noise(uint64_t seed, int64_t side = 28) {
  const RandomStream stream(seed, 0, RandomPurpose::kTrainingNoise);
  return GrayOf(side, side, [&](int64_t y, int64_t x) {
    return stream.UniformInt(static_cast<uint32_t>(y * side + x), 256);
  });
}

int HashDistance(const DecodedImage& a, const DecodedImage& b) {
  return std::popcount(Measure(a).perceptual_hash ^ Measure(b).perceptual_hash);
}

TEST(MeasuresTest, ExactHashIsOfShapeTypeAndPixels) {
  const DecodedImage image = Scene(1);
  EXPECT_EQ(Measure(image).exact_hash, Measure(Scene(1)).exact_hash);
  DecodedImage one_off = image;
  one_off.pixels[400] ^= std::byte{1};
  EXPECT_NE(Measure(one_off).exact_hash, Measure(image).exact_hash);
  DecodedImage reshaped = image;
  reshaped.shape = {14, 56, 1};
  EXPECT_NE(Measure(reshaped).exact_hash, Measure(image).exact_hash);
  DecodedImage wider = image;
  wider.shape = {28, 14, 1};
  wider.dtype = DType::kUint16;
  EXPECT_NE(Measure(wider).exact_hash, Measure(image).exact_hash);
}

// 100 pixels from 0 to 99: the statistics are those of numpy for np.arange(100).
TEST(MeasuresTest, StatisticsAreInPhysicalUnits) {
  DecodedImage image = GrayOf(10, 10, [](int64_t y, int64_t x) { return 10 * y + x; });
  image.physical = {.scale = 2, .offset = -1024, .unit = "HU"};
  const Measures measures = Measure(image);
  EXPECT_FLOAT_EQ(measures.minimum, -1024);
  EXPECT_FLOAT_EQ(measures.maximum, 2 * 99 - 1024);
  EXPECT_FLOAT_EQ(measures.mean, 2 * 49.5 - 1024);
  EXPECT_FLOAT_EQ(measures.standard_deviation, 2 * 28.866070f);
  EXPECT_FLOAT_EQ(measures.dark, 1 - 98 / 255.f);
  EXPECT_FLOAT_EQ(measures.light, 5 / 255.f);
  EXPECT_NEAR(measures.low_information, 1 - std::log2(100) / 8, 1e-6);
}

TEST(MeasuresTest, PixelsOutsideTheMaskDoNotCount) {
  DecodedImage image = GrayOf(10, 10, [](int64_t y, int64_t x) { return y < 5 ? 255 : 40 + x; });
  image.mask.assign(100, 1);
  std::fill_n(image.mask.begin(), 50, 0);
  const Measures measures = Measure(image);
  EXPECT_FLOAT_EQ(measures.padding, 0.5);
  EXPECT_FLOAT_EQ(measures.maximum, 49);
  EXPECT_FLOAT_EQ(measures.mean, 44.5);
  EXPECT_EQ(measures.saturated, 0);
  image.mask.clear();
  EXPECT_FLOAT_EQ(Measure(image).saturated, 0.5);
}

TEST(MeasuresTest, KnowsBlackWhiteAndConstant) {
  const Measures black = Measure(GrayOf(28, 28, [](int64_t, int64_t) { return 0; }));
  EXPECT_TRUE(black.constant);
  EXPECT_EQ(black.dark, 1);
  EXPECT_EQ(black.low_information, 1);
  EXPECT_EQ(black.perceptual_spread, 0u);
  const Measures white = Measure(GrayOf(28, 28, [](int64_t, int64_t) { return 255; }));
  EXPECT_EQ(white.light, 1);
  EXPECT_EQ(white.saturated, 1);
  EXPECT_FALSE(Measure(Scene(1)).constant);
}

TEST(MeasuresTest, CountsNumbersThatAreNotFinite) {
  const auto with = [](float bad) {
    return FloatOf(10, 10, [bad](int64_t y, int64_t x) { return y == 3 ? bad : x / 10.0; });
  };
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    const Measures measures = Measure(with(bad));
    EXPECT_FLOAT_EQ(measures.non_finite, 0.1f);
    EXPECT_FLOAT_EQ(measures.mean, 0.45f);
    for (const float feature : measures.features) EXPECT_TRUE(std::isfinite(feature));
  }
  const Measures nothing = Measure(FloatOf(4, 4, [](int64_t, int64_t) { return NAN; }));
  EXPECT_TRUE(nothing.constant);
  EXPECT_EQ(nothing.non_finite, 1);
  EXPECT_EQ(nothing.mean, 0);
}

// float32 says nothing of its depth; what is neither in [0, 1] nor in [-1, 1] is neither dark nor
// light.
TEST(MeasuresTest, FloatsHaveABrightnessOnlyInKnownRanges) {
  const auto ramp = [](double low, double high) {
    return Measure(
        FloatOf(1, 100, [=](int64_t, int64_t x) { return low + (high - low) * x / 99; }));
  };
  EXPECT_NEAR(ramp(0, 0.2).dark, 0.8, 0.01);
  EXPECT_NEAR(ramp(-1, -0.6).dark, 0.8, 0.01);
  EXPECT_EQ(ramp(-1000, 2000).dark, 0);
  EXPECT_EQ(ramp(-1000, 2000).light, 0);
}

TEST(MeasuresTest, BlurRisesWithBlurWhateverTheContrast) {
  const auto wave = [](double width, double contrast) {
    return Measure(GrayOf(64, 64,
                          [=](int64_t y, int64_t x) {
                            return 128 + contrast * std::sin(static_cast<double>(x) / width) *
                                             std::cos(static_cast<double>(y) / width);
                          }))
        .blur;
  };
  EXPECT_LT(Measure(Noise(1)).blur, 0.4);
  EXPECT_LT(Measure(Noise(1)).blur, wave(1.5, 100));
  EXPECT_LT(wave(1.5, 100), wave(3, 100));
  EXPECT_LT(wave(3, 100), wave(6, 100));
  EXPECT_NEAR(wave(1.5, 100), wave(1.5, 50), 0.01);
}

TEST(MeasuresTest, HashSurvivesShiftsAndBrightnessButTellsScenesApart) {
  int farthest_copy = 0, nearest_other = 64;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const DecodedImage scene = Scene(seed);
    for (const auto& [down, across] : {std::pair{1, 0}, {0, 2}, {-2, -1}, {2, 2}}) {
      farthest_copy = std::max(farthest_copy, HashDistance(scene, Scene(seed, down, across, 0.8)));
    }
    nearest_other = std::min(nearest_other, HashDistance(scene, Scene(seed + 100)));
  }
  EXPECT_LE(farthest_copy, 8);
  EXPECT_GT(nearest_other, 8);
}

TEST(MeasuresTest, DescriptorsTellCopiesFromOthers) {
  double unlike_copy = 0, unlike_other = 1;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    const Descriptor scene = Measure(Scene(seed)).descriptor;
    EXPECT_LT(Unlikeness(scene, scene, 0.01), 1e-6);
    for (const double gain : {0.7, 1.2}) {  // 1.2 saturates where discs meet.
      const Descriptor copy = Measure(Scene(seed, 2, -1, gain)).descriptor;
      unlike_copy = std::max(unlike_copy, Unlikeness(scene, copy, 0.01));
      EXPECT_EQ(Unlikeness(scene, copy, 0.01), Unlikeness(copy, scene, 0.01));
    }
    unlike_other =
        std::min(unlike_other, Unlikeness(scene, Measure(Scene(seed + 100)).descriptor, 1));
    // The negative has the same structure, and is no copy.
    DecodedImage negative = Scene(seed);
    for (std::byte& pixel : negative.pixels) pixel = ~pixel;
    EXPECT_GT(Unlikeness(scene, Measure(negative).descriptor, 1), 0.1);
  }
  EXPECT_LT(unlike_copy, 0.01);
  EXPECT_GT(unlike_other, 0.05);
}

TEST(MeasuresTest, ColourIsSeenAsLumaAndSmallOrFlatImagesAreNoTrouble) {
  DecodedImage color = {.shape = {2, 2, 3}};
  for (int i = 0; i < 4; ++i) {
    for (const int value : {10, 200, 30}) color.pixels.push_back(static_cast<std::byte>(value));
  }
  EXPECT_NEAR(Measure(color).light, (0.299 * 10 + 0.587 * 200 + 0.114 * 30) / 255, 1e-6);
  for (const auto& [height, width] : {std::pair{1, 1}, {1, 300}, {300, 1}, {2, 2}, {3, 70}}) {
    const Measures measures =
        Measure(GrayOf(height, width, [](int64_t y, int64_t x) { return 7 * y + 3 * x; }));
    for (const float feature : measures.features) EXPECT_TRUE(std::isfinite(feature));
  }
}

}  // namespace
}  // namespace langevin::data
