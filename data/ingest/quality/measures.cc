#include "data/ingest/quality/measures.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "data/ingest/quality/features.h"
#include "data/ingest/quality/gray_image.h"
#include "data/ingest/quality/perceptual.h"

namespace langevin::data {
namespace {

// Of the picture that hash and descriptor are made from.
constexpr int64_t kPictureSide = 64;

std::array<uint64_t, 2> ExactHash(const DecodedImage& image) {
  // The seed stands for what the bytes do not say: equal bytes of another shape are another image.
  const std::array<int64_t, 5> kind = {image.shape.height, image.shape.width, image.shape.channels,
                                       static_cast<int64_t>(image.dtype), image.bits};
  const uint64_t seed = XXH3_64bits(kind.data(), sizeof(kind));
  const XXH128_hash_t hash = XXH3_128bits_withSeed(image.pixels.data(), image.pixels.size(), seed);
  return {hash.high64, hash.low64};
}

// What is counted of every stored number inside the mask.
void MeasureNumbers(const DecodedImage& image, Measures& measures) {
  const int64_t channels = image.shape.channels;
  const int64_t pixels = image.shape.height * image.shape.width;
  const double largest = std::ldexp(1, image.bits) - 1;
  double low = std::numeric_limits<double>::infinity(), high = -low;
  double sum = 0, squares = 0, shift = 0;
  int64_t finite = 0, masked_out = 0, bad_pixels = 0, at_largest = 0, at_highest = 0;
  bool is_bad = false;
  int64_t channel = 0;
  size_t pixel = 0;
  VisitNumbers(image, [&](int64_t, double value) {
    const bool in_mask = image.mask.empty() || image.mask[pixel] != 0;
    if (in_mask && std::isfinite(value)) {
      if (finite == 0) shift = value;  // Keeps the squares small where the mean is large.
      sum += value - shift;
      squares += (value - shift) * (value - shift);
      if (value > high) at_highest = 0;
      low = std::min(low, value);
      high = std::max(high, value);
      at_highest += value == high;
      at_largest += value >= largest;
      ++finite;
    }
    is_bad = is_bad || !std::isfinite(value);
    if (++channel == channels) {
      channel = 0;
      masked_out += !in_mask;
      bad_pixels += in_mask && is_bad;
      is_bad = false;
      ++pixel;
    }
  });
  const int64_t in_mask = pixels - masked_out;
  if (pixels > 0) {
    measures.padding =
        static_cast<float>(static_cast<double>(masked_out) / static_cast<double>(pixels));
  }
  if (in_mask > 0) {
    measures.non_finite =
        static_cast<float>(static_cast<double>(bad_pixels) / static_cast<double>(in_mask));
  }
  measures.constant = finite == 0 || low == high;
  if (finite == 0) return;
  const double count = static_cast<double>(finite);
  const double mean = sum / count;
  const double scale = image.physical.scale, offset = image.physical.offset;
  measures.minimum = static_cast<float>(low * scale + offset);
  measures.maximum = static_cast<float>(high * scale + offset);
  if (scale < 0) std::swap(measures.minimum, measures.maximum);
  measures.mean = static_cast<float>((mean + shift) * scale + offset);
  measures.standard_deviation =
      static_cast<float>(std::abs(scale) * std::sqrt(std::max(0.0, squares / count - mean * mean)));
  // One number at the maximum is no plateau.
  const int64_t saturated =
      image.dtype != DType::kFloat32 ? at_largest : (at_highest > channels ? at_highest : 0);
  measures.saturated = static_cast<float>(static_cast<double>(saturated) / count);
}

}  // namespace

Measures Measure(const DecodedImage& image) {
  Measures measures;
  measures.exact_hash = ExactHash(image);
  MeasureNumbers(image, measures);

  const BrightnessRange range = RangeOf(image);
  const GrayImage gray = ToGray(image, range);
  const GrayLevels levels = LevelsOf(gray);
  if (gray.valid_count > 0) {
    measures.low_information = static_cast<float>(1 - levels.entropy / 8);
    if (range.is_known) {
      measures.dark = static_cast<float>(std::clamp(1 - levels.percentile_99, 0.0, 1.0));
      measures.light = static_cast<float>(std::clamp(levels.percentile_5, 0.0, 1.0));
    }
  } else {
    measures.low_information = 1;
  }
  const Texture texture = TextureOf(gray, levels);
  measures.blur = measures.constant ? 0 : static_cast<float>(1 / (1 + texture.sharpness()));
  measures.features = FeaturesOf(gray, levels, texture);

  const Perceptual perceptual = LookAt(ShrinkTo(gray, kPictureSide));
  measures.perceptual_hash = perceptual.hash;
  measures.perceptual_spread = perceptual.spread;
  measures.descriptor = perceptual.descriptor;
  return measures;
}

}  // namespace langevin::data
