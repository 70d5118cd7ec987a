#include "data/ingest/quality/measures.h"

#include <xxhash.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <utility>

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

// What is counted of the stored numbers inside the mask.
struct Counted {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  double shift = 0, sum = 0, squares = 0;  // Of the numbers less `shift`.
  int64_t finite = 0, masked_out = 0, bad_pixels = 0, saturated = 0;
};

// Of integers without a mask, which are all finite: in integers, that is exactly.
template <typename T>
Counted CountIntegers(std::span<const T> numbers, int32_t bits) {
  const T largest = static_cast<T>((uint32_t{1} << bits) - 1);
  T low = std::numeric_limits<T>::max(), high = 0;
  uint64_t sum = 0, squares = 0;
  int64_t saturated = 0;
  for (const T number : numbers) {
    low = std::min(low, number);
    high = std::max(high, number);
    sum += number;
    squares += uint64_t{number} * number;
    saturated += number >= largest;
  }
  Counted counted = {.finite = static_cast<int64_t>(numbers.size()), .saturated = saturated};
  if (numbers.empty()) return counted;
  counted.low = low;
  counted.high = high;
  counted.sum = static_cast<double>(sum);
  counted.squares = static_cast<double>(squares);
  return counted;
}

Counted CountAny(const DecodedImage& image) {
  const int64_t channels = image.shape.channels;
  const double largest = std::ldexp(1, image.bits) - 1;
  Counted counted;
  int64_t at_largest = 0, at_highest = 0;
  bool is_bad = false;
  int64_t channel = 0;
  size_t pixel = 0;
  VisitNumbers(image, [&](int64_t, double value) {
    const bool in_mask = image.mask.empty() || image.mask[pixel] != 0;
    if (in_mask && std::isfinite(value)) {
      if (counted.finite == 0) counted.shift = value;  // Keeps squares small where means are large.
      counted.sum += value - counted.shift;
      counted.squares += (value - counted.shift) * (value - counted.shift);
      if (value > counted.high) at_highest = 0;
      counted.low = std::min(counted.low, value);
      counted.high = std::max(counted.high, value);
      at_highest += value == counted.high;
      at_largest += value >= largest;
      ++counted.finite;
    }
    is_bad = is_bad || !std::isfinite(value);
    if (++channel == channels) {
      channel = 0;
      counted.masked_out += !in_mask;
      counted.bad_pixels += in_mask && is_bad;
      is_bad = false;
      ++pixel;
    }
  });
  // One number at the maximum is no plateau.
  counted.saturated =
      image.dtype != DType::kFloat32 ? at_largest : (at_highest > channels ? at_highest : 0);
  return counted;
}

Counted Count(const DecodedImage& image) {
  if (image.mask.empty() && image.dtype == DType::kUint8) {
    return CountIntegers(
        std::span(reinterpret_cast<const uint8_t*>(image.pixels.data()), image.pixels.size()),
        image.bits);
  }
  if (image.mask.empty() && image.dtype == DType::kUint16) {
    return CountIntegers(
        std::span(reinterpret_cast<const uint16_t*>(image.pixels.data()), image.pixels.size() / 2),
        image.bits);
  }
  return CountAny(image);
}

void MeasureNumbers(const DecodedImage& image, Measures& measures) {
  const int64_t pixels = image.shape.height * image.shape.width;
  const auto [low, high, shift, sum, squares, finite, masked_out, bad_pixels, saturated] =
      Count(image);
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
  measures.saturated = static_cast<float>(static_cast<double>(saturated) / count);
}

}  // namespace

Measures Measure(const DecodedImage& image) {
  Measures measures;
  measures.exact_hash = ExactHash(image);
  MeasureNumbers(image, measures);

  const BrightnessRange range = RangeOf(image);
  GrayImage gray = ToGray(image, range);
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

  const Perceptual perceptual = LookAt(ShrinkTo(std::move(gray), kPictureSide));
  measures.perceptual_hash = perceptual.hash;
  measures.perceptual_spread = perceptual.spread;
  measures.descriptor = perceptual.descriptor;
  return measures;
}

}  // namespace langevin::data
