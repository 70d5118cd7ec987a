#include "data/ingest/intensity/choose_map.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"

namespace langevin::data {
namespace {

using configs::IntensityConfig;
using configs::IntensityMode;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// [low, high], stored, to [-1, 1].
absl::StatusOr<IntensityMap> FromRange(double low, double high, bool clip) {
  if (!(high > low)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "intensity.mode: the training split's values lie between %g and %g, which is no range; "
        "choose another mode",
        low, high));
  }
  IntensityMap map = {.scale = 2 / (high - low)};
  map.offset = -1 - low * map.scale;
  if (clip) {
    map.clip_low = low;
    map.clip_high = high;
  }
  return map;
}

absl::StatusOr<IntensityMap> FromMoments(double mean, double deviation) {
  if (!(deviation > 0)) {
    return absl::InvalidArgumentError(
        "intensity.mode: all values of the training split are equal, or none counts; choose "
        "another mode");
  }
  IntensityMap map = {.scale = kModelDeviation / deviation};
  map.offset = -mean * map.scale;
  return map;
}

double ToStored(double physical, const PhysicalUnits& units) {
  return (physical - units.offset) / units.scale;
}

// nnU-Net's scheme for CT (Isensee et al. 2021): percentiles of the foreground clip; its mean and
// deviation, which are taken before that, scale.
absl::StatusOr<IntensityMap> ForCt(const IntensityConfig& config, const PhysicalUnits& physical,
                                   const ValueCounts& counts) {
  const double threshold = ToStored(config.foreground_above, physical);
  double low = -kInfinity, high = kInfinity;
  // Strictly above it, in physical values.
  if (physical.scale > 0) {
    low = std::nextafter(threshold, kInfinity);
  } else {
    high = std::nextafter(threshold, -kInfinity);
  }
  const double clip_low = counts.Percentile(config.low_percentile, low, high);
  const double clip_high = counts.Percentile(config.high_percentile, low, high);
  if (!(clip_high > clip_low)) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "intensity.foreground_above %g: leaves no range of values in the training split; choose "
        "another one",
        config.foreground_above));
  }
  LANGEVIN_ASSIGN_OR_RETURN(
      IntensityMap map, FromMoments(counts.Mean(low, high), counts.StandardDeviation(low, high)));
  map.clip_low = clip_low;
  map.clip_high = clip_high;
  return map;
}

template <typename T>
DecodedImage ZScoreOf(const DecodedImage& image) {
  const T* const values = reinterpret_cast<const T*>(image.pixels.data());
  const size_t count = static_cast<size_t>(image.shape.values());
  const size_t channels = static_cast<size_t>(image.shape.channels);
  std::vector<uint8_t> valid = image.mask;
  const auto is_valid = [&](size_t i) {
    return (image.mask.empty() || image.mask[i / channels] != 0) &&
           std::isfinite(static_cast<double>(values[i]));
  };
  double sum = 0, number = 0;
  for (size_t i = 0; i < count; ++i) {
    if (!is_valid(i)) continue;
    sum += static_cast<double>(values[i]);
    ++number;
  }
  const double mean = number > 0 ? sum / number : 0;
  double squares = 0;
  for (size_t i = 0; i < count; ++i) {
    if (!is_valid(i)) continue;
    const double distance = static_cast<double>(values[i]) - mean;
    squares += distance * distance;
  }
  const double deviation = number > 0 ? std::sqrt(squares / number) : 0;
  DecodedImage result = image.WithoutPixels();
  result.dtype = DType::kFloat32;
  result.bits = 32;
  result.physical = {};
  result.pixels.resize(count * sizeof(float));
  for (size_t i = 0; i < count; ++i) {
    float score = 0;
    if (is_valid(i)) {
      score = deviation > 0
                  ? static_cast<float>((static_cast<double>(values[i]) - mean) / deviation)
                  : 0;
    } else {
      if (valid.empty()) valid.assign(count / channels, 1);
      valid[i / channels] = 0;
    }
    std::memcpy(result.pixels.data() + i * sizeof(float), &score, sizeof(score));
  }
  result.mask = std::move(valid);
  return result;
}

}  // namespace

bool NeedsCounts(IntensityMode mode) {
  return mode == IntensityMode::kRange || mode == IntensityMode::kPercentile ||
         mode == IntensityMode::kDatasetZScore || mode == IntensityMode::kCt;
}

absl::StatusOr<IntensityMap> ChooseMap(const IntensityConfig& config, DType dtype, int32_t bits,
                                       const PhysicalUnits& physical, const ValueCounts* counts) {
  switch (config.mode) {
    case IntensityMode::kDepth:
      if (dtype == DType::kFloat32) return IntensityMap{};
      return IntensityMap{.scale = 2 / (std::ldexp(1, bits) - 1), .offset = -1};
    case IntensityMode::kRange:
      return FromRange(counts->Percentile(0, -kInfinity, kInfinity),
                       counts->Percentile(100, -kInfinity, kInfinity), /*clip=*/false);
    case IntensityMode::kWindow: {
      const double a = ToStored(config.low, physical), b = ToStored(config.high, physical);
      return FromRange(std::min(a, b), std::max(a, b), /*clip=*/true);
    }
    case IntensityMode::kPercentile:
      return FromRange(counts->Percentile(config.low_percentile, -kInfinity, kInfinity),
                       counts->Percentile(config.high_percentile, -kInfinity, kInfinity),
                       /*clip=*/true);
    case IntensityMode::kImageZScore:
      return IntensityMap{.scale = kModelDeviation};
    case IntensityMode::kDatasetZScore:
      return FromMoments(counts->Mean(-kInfinity, kInfinity),
                         counts->StandardDeviation(-kInfinity, kInfinity));
    case IntensityMode::kCt:
      return ForCt(config, physical, *counts);
  }
  return absl::InternalError("no such intensity mode");
}

DecodedImage ZScore(const DecodedImage& image) {
  if (image.dtype == DType::kUint8) return ZScoreOf<uint8_t>(image);
  if (image.dtype == DType::kUint16) return ZScoreOf<uint16_t>(image);
  return ZScoreOf<float>(image);
}

}  // namespace langevin::data
