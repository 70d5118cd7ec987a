#include "data/ingest/quality/perceptual.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

namespace langevin::data {
namespace {

constexpr int kSide = 32;        // Of the picture that the hash is made of.
constexpr int kFrequencies = 9;  // 0 to 8, each way.

using Window = std::array<float, kSide * kSide>;

struct Point {
  double y = 0;
  double x = 0;
};

// Pixels count by their difference from the background.
Point CentreOfMass(const GrayImage& image, float background) {
  double mass = 0, y_sum = 0, x_sum = 0;
  for (int64_t y = 0; y < image.height; ++y) {
    for (int64_t x = 0; x < image.width; ++x) {
      if (image.valid[static_cast<size_t>(y * image.width + x)] == 0) continue;
      const double weight = std::abs(image.At(y, x) - background);
      mass += weight;
      y_sum += weight * static_cast<double>(y);
      x_sum += weight * static_cast<double>(x);
    }
  }
  if (mass <= 0) {
    return {static_cast<double>(image.height - 1) / 2, static_cast<double>(image.width - 1) / 2};
  }
  return {y_sum / mass, x_sum / mass};
}

// Places on one axis between which a sample is interpolated.
struct Tap {
  int64_t first = 0;
  float second_share = 0;
};

std::array<Tap, kSide> TapsAround(double centre, int64_t length) {
  std::array<Tap, kSide> taps;
  const double step = static_cast<double>(length) / kSide;
  for (int i = 0; i < kSide; ++i) {
    const double place = centre + (i - (kSide - 1) / 2.0) * step;
    const double floor = std::floor(place);
    taps[static_cast<size_t>(i)] = {static_cast<int64_t>(floor), static_cast<float>(place - floor)};
  }
  return taps;
}

// What `value` says of each pixel, at the window's places, bilinear; beyond its edges is
// `outside`. First along the rows that count, then down.
template <typename Value>
Window Resample(const GrayImage& image, const std::array<Tap, kSide>& rows,
                const std::array<Tap, kSide>& columns, float outside, Value value) {
  using Row = std::array<float, kSide>;
  const auto along = [&](int64_t y, Row& out) {
    const bool is_inside = y >= 0 && y < image.height;
    const auto at = [&](int64_t x) {
      return is_inside && x >= 0 && x < image.width
                 ? value(static_cast<size_t>(y * image.width + x))
                 : outside;
    };
    for (size_t i = 0; i < kSide; ++i) {
      const Tap& column = columns[i];
      out[i] =
          at(column.first) * (1 - column.second_share) + at(column.first + 1) * column.second_share;
    }
  };
  Window window;
  Row above, below;
  int64_t known = std::numeric_limits<int64_t>::min();  // The row that `below` holds.
  float* out = window.data();
  for (const Tap& row : rows) {
    if (row.first == known) {
      above = below;
    } else if (row.first + 1 != known) {
      along(row.first, above);
    }
    if (row.first + 1 != known) along(known = row.first + 1, below);
    for (size_t i = 0; i < kSide; ++i) {
      *out++ = above[i] * (1 - row.second_share) + below[i] * row.second_share;
    }
  }
  return window;
}

// DCT-II, unnormalised: row k holds cos(pi k (2 i + 1) / 64).
std::array<std::array<float, kSide>, kFrequencies> CosineTable() {
  std::array<std::array<float, kSide>, kFrequencies> table;
  for (int k = 0; k < kFrequencies; ++k) {
    for (int i = 0; i < kSide; ++i) {
      table[static_cast<size_t>(k)][static_cast<size_t>(i)] =
          static_cast<float>(std::cos(std::numbers::pi * k * (2 * i + 1) / (2 * kSide)));
    }
  }
  return table;
}

// Signs, against their median, of the frequencies 0 to 7 each way; the constant one, which is
// brightness, gives its place to (0, 8).
uint64_t Hash(const Window& window) {
  static const auto table = CosineTable();
  std::array<std::array<float, kSide>, kFrequencies> rows;  // Frequency down, place across.
  for (size_t k = 0; k < kFrequencies; ++k) {
    rows[k].fill(0);
    for (size_t y = 0; y < kSide; ++y) {
      for (size_t x = 0; x < kSide; ++x) rows[k][x] += table[k][y] * window[y * kSide + x];
    }
  }
  const auto coefficient = [&](size_t down, size_t across) {
    float sum = 0;
    for (size_t x = 0; x < kSide; ++x) sum += rows[down][x] * table[across][x];
    return sum;
  };
  std::array<float, 64> values;
  for (size_t i = 0; i < 64; ++i)
    values[i] = i == 0 ? coefficient(0, 8) : coefficient(i / 8, i % 8);
  std::array<float, 64> sorted = values;
  std::nth_element(sorted.begin(), sorted.begin() + 32, sorted.end());
  uint64_t hash = 0;
  for (size_t i = 0; i < 64; ++i) hash |= uint64_t{values[i] >= sorted[32]} << i;
  return hash;
}

constexpr float kSaturated = 0.997f;  // 254 of 255 and above: a brightened copy lost detail there.
constexpr float kLeastShare = 0.02f;  // Of a sample that counts as unknown or saturated.

}  // namespace

Perceptual LookAt(const GrayImage& image) {
  Perceptual result;
  const auto [low, high] = std::minmax_element(image.values.begin(), image.values.end());
  if (image.values.empty() || !(*high > *low)) return result;
  const float range = *high - *low;
  const float background = BorderMedian(image);
  for (const float value : image.values) {
    result.spread += std::abs(value - background) > 0.02f * range;
  }

  const Point centre = CentreOfMass(image, background);
  const std::array<Tap, kSide> rows = TapsAround(centre.y, image.height);
  const std::array<Tap, kSide> columns = TapsAround(centre.x, image.width);
  const Window window =
      Resample(image, rows, columns, background, [&](size_t i) { return image.values[i]; });
  const Window unknown = Resample(image, rows, columns, 1.0f,
                                  [&](size_t i) { return image.valid[i] != 0 ? 0.0f : 1.0f; });
  Window saturated = {};
  if (*high >= kSaturated) {
    saturated = Resample(image, rows, columns, 0.0f,
                         [&](size_t i) { return image.values[i] >= kSaturated ? 1.0f : 0.0f; });
  }
  result.hash = Hash(window);

  constexpr size_t kCell = kSide / Measures::kDescriptorSide;
  for (size_t y = 0; y < Measures::kDescriptorSide; ++y) {
    for (size_t x = 0; x < Measures::kDescriptorSide; ++x) {
      float sum = 0, most_unknown = 0, most_saturated = 0;
      for (size_t i = 0; i < kCell * kCell; ++i) {
        const size_t place = (y * kCell + i / kCell) * kSide + x * kCell + i % kCell;
        sum += window[place];
        most_unknown = std::max(most_unknown, unknown[place]);
        most_saturated = std::max(most_saturated, saturated[place]);
      }
      const float share = std::clamp((sum / (kCell * kCell) - *low) / range, 0.0f, 1.0f);
      const long level = std::lround(share * Measures::kDescriptorLevels);
      result.descriptor[y * Measures::kDescriptorSide + x] =
          most_unknown > kLeastShare
              ? Measures::kUnknown
              : static_cast<uint8_t>(2 * level + (most_saturated > kLeastShare));
    }
  }
  return result;
}

}  // namespace langevin::data
