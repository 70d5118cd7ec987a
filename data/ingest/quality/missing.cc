#include "data/ingest/quality/missing.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"

namespace langevin::data {
namespace {

// One channel on the way down and up: values and how much of each is known.
struct Level {
  int64_t height = 0;
  int64_t width = 0;
  std::vector<float> values;
  std::vector<float> known;  // 0 or more; only "more than 0" and ratios matter.

  size_t Place(int64_t y, int64_t x) const {
    return static_cast<size_t>(std::clamp<int64_t>(y, 0, height - 1) * width +
                               std::clamp<int64_t>(x, 0, width - 1));
  }
};

// Half as large: each value the mean of the known ones among four.
Level Halve(const Level& fine) {
  Level coarse = {.height = (fine.height + 1) / 2, .width = (fine.width + 1) / 2};
  const size_t count = static_cast<size_t>(coarse.height * coarse.width);
  coarse.values.assign(count, 0);
  coarse.known.assign(count, 0);
  for (int64_t y = 0; y < fine.height; ++y) {
    for (int64_t x = 0; x < fine.width; ++x) {
      const size_t from = fine.Place(y, x), to = coarse.Place(y / 2, x / 2);
      coarse.values[to] += fine.values[from] * fine.known[from];
      coarse.known[to] += fine.known[from];
    }
  }
  for (size_t i = 0; i < count; ++i) {
    if (coarse.known[i] > 0) coarse.values[i] /= coarse.known[i];
    coarse.known[i] = std::min(coarse.known[i], 1.0f);
  }
  return coarse;
}

// `coarse`, which is known everywhere, interpolated at a pixel of the level twice as fine.
float Interpolate(const Level& coarse, int64_t y, int64_t x) {
  const int64_t near_y = y / 2, near_x = x / 2;
  const int64_t far_y = y % 2 == 0 ? near_y - 1 : near_y + 1;
  const int64_t far_x = x % 2 == 0 ? near_x - 1 : near_x + 1;
  const auto at = [&coarse](int64_t row, int64_t column) {
    return coarse.values[coarse.Place(row, column)];
  };
  return (9 * at(near_y, near_x) + 3 * at(near_y, far_x) + 3 * at(far_y, near_x) +
          at(far_y, far_x)) /
         16;
}

// Fills what is not known of a channel from what is: averages go down a pyramid until they cover
// everything, and come back up where nothing finer is known.
void FillFromAround(Level& level) {
  const bool is_known =
      std::all_of(level.known.begin(), level.known.end(), [](float known) { return known > 0; });
  if (is_known || (level.height == 1 && level.width == 1)) return;  // One unknown value stays 0.
  Level coarse = Halve(level);
  FillFromAround(coarse);
  for (int64_t y = 0; y < level.height; ++y) {
    for (int64_t x = 0; x < level.width; ++x) {
      const size_t place = level.Place(y, x);
      if (level.known[place] <= 0) level.values[place] = Interpolate(coarse, y, x);
    }
  }
}

template <typename T>
T Rounded(double value) {
  if constexpr (std::is_floating_point_v<T>) {
    return static_cast<T>(value);
  } else {
    return static_cast<T>(std::lround(
        std::clamp<double>(value, 0, static_cast<double>(std::numeric_limits<T>::max()))));
  }
}

template <typename T>
absl::Status Fill(const configs::MissingConfig& config, DecodedImage& image) {
  T* const numbers = reinterpret_cast<T*>(image.pixels.data());
  const int64_t channels = image.shape.channels;
  const int64_t pixels = image.shape.height * image.shape.width;
  if constexpr (std::is_floating_point_v<T>) {
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      T* const first = numbers + pixel * channels;
      if (std::all_of(first, first + channels, [](T value) { return std::isfinite(value); })) {
        continue;
      }
      if (image.mask.empty()) image.mask.assign(static_cast<size_t>(pixels), 1);
      image.mask[static_cast<size_t>(pixel)] = 0;
      for (T* number = first; number != first + channels; ++number) {
        if (!std::isfinite(*number)) *number = 0;
      }
    }
  }
  if (std::find(image.mask.begin(), image.mask.end(), 0) == image.mask.end()) image.mask.clear();
  if (image.mask.empty() || config.impute == configs::ImputeMode::kNone) return absl::OkStatus();

  if (config.impute == configs::ImputeMode::kConstant) {
    const double stored = (config.constant - image.physical.offset) / image.physical.scale;
    if (!(stored >= static_cast<double>(std::numeric_limits<T>::lowest()) &&
          stored <= static_cast<double>(std::numeric_limits<T>::max()))) {
      return absl::InvalidArgumentError(absl::StrFormat(
          "missing.constant %g is beyond what the image can hold (stored %g); choose another",
          config.constant, stored));
    }
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      if (image.mask[static_cast<size_t>(pixel)] != 0) continue;
      std::fill_n(numbers + pixel * channels, channels, Rounded<T>(stored));
    }
    return absl::OkStatus();
  }
  for (int64_t channel = 0; channel < channels; ++channel) {
    Level level = {.height = image.shape.height, .width = image.shape.width};
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      const bool known = image.mask[static_cast<size_t>(pixel)] != 0;
      level.values.push_back(known ? static_cast<float>(numbers[pixel * channels + channel])
                                   : 0.0f);
      level.known.push_back(known ? 1.0f : 0.0f);
    }
    FillFromAround(level);
    for (int64_t pixel = 0; pixel < pixels; ++pixel) {
      const size_t place = static_cast<size_t>(pixel);
      if (image.mask[place] == 0) {
        numbers[pixel * channels + channel] = Rounded<T>(level.values[place]);
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status FillMissing(const configs::MissingConfig& config, DecodedImage& image) {
  const int64_t pixels = image.shape.height * image.shape.width;
  if (!image.mask.empty() && static_cast<int64_t>(image.mask.size()) != pixels) {
    return absl::InvalidArgumentError(
        absl::StrFormat("the mask has %d numbers, the image %d pixels", image.mask.size(), pixels));
  }
  if (image.dtype == DType::kUint8) return Fill<uint8_t>(config, image);
  if (image.dtype == DType::kUint16) return Fill<uint16_t>(config, image);
  return Fill<float>(config, image);
}

}  // namespace langevin::data
