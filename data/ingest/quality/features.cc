#include "data/ingest/quality/features.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace langevin::data {

const std::array<const char*, Measures::kFeatures> kFeatureNames = {
    "mean",          "contrast",     "median",          "95th percentile",
    "skewness",      "entropy",      "background",      "border",
    "roughness",     "fine texture", "size of the box", "extent down",
    "extent across", "orientation",  "share of edges",  "share of highlights"};

const std::array<double, Measures::kFeatures> kFeatureFloors = {
    0.005, 0.005, 0.005, 0.005, 0.05, 0.1,  0.03, 0.01,
    0.03,  0.03,  0.02,  0.01,  0.01, 0.05, 0.01, 0.01};

GrayLevels LevelsOf(const GrayImage& image) {
  GrayLevels levels;
  std::vector<float> values;
  values.reserve(static_cast<size_t>(image.valid_count));
  for (size_t i = 0; i < image.values.size(); ++i) {
    if (image.valid[i] != 0) values.push_back(image.values[i]);
  }
  if (values.empty()) return levels;
  const double count = static_cast<double>(values.size());
  double sum = 0;
  for (const float value : values) sum += value;
  levels.mean = sum / count;
  double squares = 0;
  for (const float value : values) squares += (value - levels.mean) * (value - levels.mean);
  levels.standard_deviation = std::sqrt(squares / count);
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  levels.minimum = *low;
  levels.maximum = *high;

  if (levels.maximum > levels.minimum) {
    std::array<int64_t, 256> bins = {};
    const double scale = 255.999 / (levels.maximum - levels.minimum);
    for (const float value : values) {
      ++bins[static_cast<size_t>((value - levels.minimum) * scale)];
    }
    for (const int64_t bin : bins) {
      if (bin == 0) continue;
      const double share = static_cast<double>(bin) / count;
      levels.entropy -= share * std::log2(share);
    }
  }
  // The places rise, so each search needs to look only above the last.
  auto begin = values.begin();
  const auto at_share = [&](double share) -> double {
    const auto place =
        values.begin() + static_cast<std::ptrdiff_t>(std::llround(share * (count - 1)));
    std::nth_element(begin, place, values.end());
    begin = place;
    return *place;
  };
  levels.percentile_5 = at_share(0.05);
  levels.median = at_share(0.5);
  levels.percentile_95 = at_share(0.95);
  levels.percentile_99 = at_share(0.99);
  return levels;
}

Texture TextureOf(const GrayImage& image, const GrayLevels& levels) {
  Texture texture;
  if (image.height < 3 || image.width < 3) return texture;
  const float jump = static_cast<float>((levels.maximum - levels.minimum) / 4);
  for (int64_t y = 1; y + 1 < image.height; ++y) {
    const float* const row = image.values.data() + y * image.width;
    const float* const above = row - image.width;
    const float* const below = row + image.width;
    float down = 0, across = 0, second = 0;
    int64_t edges = 0;
    for (int64_t x = 1; x + 1 < image.width; ++x) {
      const float d = std::abs(below[x] - row[x]), a = std::abs(row[x + 1] - row[x]);
      down += d;
      across += a;
      second += std::abs(4 * row[x] - above[x] - below[x] - row[x - 1] - row[x + 1]);
      edges += std::max(d, a) > jump;
    }
    texture.down += down;
    texture.across += across;
    texture.second += second;
    texture.edges += static_cast<double>(edges);
  }
  const double count = static_cast<double>((image.height - 2) * (image.width - 2));
  texture.down /= count;
  texture.across /= count;
  texture.second /= count;
  texture.edges /= count;
  return texture;
}

namespace {

struct Extent {
  double down = 0, across = 0;  // Standard deviation of where things are, as a share of the side.
  double longest = 0;  // The longer side of the box around all of it, as a share of the image's.
};

Extent ExtentOf(const GrayImage& image, float background, double range) {
  double mass = 0, y1 = 0, y2 = 0, x1 = 0, x2 = 0;
  int64_t top = image.height, bottom = -1, left = image.width, right = -1;
  for (int64_t y = 0; y < image.height; ++y) {
    for (int64_t x = 0; x < image.width; ++x) {
      if (image.valid[static_cast<size_t>(y * image.width + x)] == 0) continue;
      const double weight = std::abs(image.At(y, x) - background);
      if (weight > 0.05 * range) {
        top = std::min(top, y);
        bottom = std::max(bottom, y);
        left = std::min(left, x);
        right = std::max(right, x);
      }
      const double down = static_cast<double>(y) / static_cast<double>(image.height);
      const double across = static_cast<double>(x) / static_cast<double>(image.width);
      mass += weight;
      y1 += weight * down;
      y2 += weight * down * down;
      x1 += weight * across;
      x2 += weight * across * across;
    }
  }
  if (mass <= 0) return {};
  const auto deviation = [mass](double first, double squares) {
    const double mean = first / mass;
    return std::sqrt(std::max(0.0, squares / mass - mean * mean));
  };
  const double box_down = static_cast<double>(bottom - top + 1) / static_cast<double>(image.height);
  const double box_across =
      static_cast<double>(right - left + 1) / static_cast<double>(image.width);
  return {deviation(y1, y2), deviation(x1, x2), std::max({0.0, box_down, box_across})};
}

}  // namespace

Features FeaturesOf(const GrayImage& image, const GrayLevels& levels, const Texture& texture) {
  constexpr double kTiny = 1e-4;  // Below a step of 12 bits: keeps logarithms of nothing finite.
  const double range = levels.maximum - levels.minimum;
  const float background = BorderMedian(image);
  int64_t near_background = 0, highlights = 0;
  for (size_t i = 0; i < image.values.size(); ++i) {
    if (image.valid[i] == 0) continue;
    near_background += std::abs(image.values[i] - background) <= 0.02 * range;
    highlights += image.values[i] > levels.minimum + 0.8 * range;
  }
  const double count = static_cast<double>(std::max<int64_t>(1, image.valid_count));
  const double gradient = texture.down + texture.across;
  const Extent extent = ExtentOf(image, background, range);
  const std::array<double, Measures::kFeatures> values = {
      levels.mean,
      levels.standard_deviation,
      levels.median,
      levels.percentile_95,
      (levels.mean - levels.median) / (levels.standard_deviation + kTiny),
      levels.entropy,
      static_cast<double>(near_background) / count,
      background,
      std::log((gradient + kTiny) / (levels.standard_deviation + kTiny)),
      std::log((texture.second + kTiny) / (gradient + kTiny)),
      extent.longest,
      extent.down,
      extent.across,
      std::log((texture.down + kTiny) / (texture.across + kTiny)),
      texture.edges,
      static_cast<double>(highlights) / count};
  Features features;
  std::transform(values.begin(), values.end(), features.begin(), [](double value) {
    return std::isfinite(value) ? static_cast<float>(value) : 0.0f;
  });
  return features;
}

}  // namespace langevin::data
