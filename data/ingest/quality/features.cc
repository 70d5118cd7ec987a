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

namespace {

constexpr size_t kBins = 256;

// Values put into equal parts of their range, in order of the parts, so that looking for the value
// at a rank means looking through one part.
class BinnedValues {
 public:
  BinnedValues(const std::vector<float>& values, float low, float high) : values_(values.size()) {
    const double scale = high > low ? 255.999 / (static_cast<double>(high) - low) : 0;
    std::vector<uint8_t> bins(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
      bins[i] = static_cast<uint8_t>((values[i] - static_cast<double>(low)) * scale);
    }
    for (const uint8_t bin : bins) ++begin_[bin + size_t{1}];
    for (size_t bin = 0; bin < kBins; ++bin) begin_[bin + 1] += begin_[bin];
    std::array<size_t, kBins> next;
    std::copy_n(begin_.begin(), kBins, next.begin());
    for (size_t i = 0; i < values.size(); ++i) values_[next[bins[i]]++] = values[i];
  }

  double Entropy() const {
    double entropy = 0;
    for (size_t bin = 0; bin < kBins; ++bin) {
      if (begin_[bin + 1] == begin_[bin]) continue;
      const double share =
          static_cast<double>(begin_[bin + 1] - begin_[bin]) / static_cast<double>(values_.size());
      entropy -= share * std::log2(share);
    }
    return entropy;
  }

  double AtShare(double share) {
    const auto rank =
        static_cast<size_t>(std::llround(share * (static_cast<double>(values_.size()) - 1)));
    const auto above = std::upper_bound(begin_.begin(), begin_.end(), rank);
    const auto at = [this](size_t i) { return values_.begin() + static_cast<std::ptrdiff_t>(i); };
    std::nth_element(at(*(above - 1)), at(rank), at(*above));
    return values_[rank];
  }

 private:
  std::vector<float> values_;
  std::array<size_t, kBins + 1> begin_ = {};  // Of each part; behind them the end.
};

}  // namespace

GrayLevels LevelsOf(const GrayImage& image) {
  GrayLevels levels;
  std::vector<float> only_valid;
  const bool all_valid = image.valid_count == static_cast<int64_t>(image.values.size());
  if (!all_valid) {
    only_valid.reserve(static_cast<size_t>(image.valid_count));
    for (size_t i = 0; i < image.values.size(); ++i) {
      if (image.valid[i] != 0) only_valid.push_back(image.values[i]);
    }
  }
  const std::vector<float>& values = all_valid ? image.values : only_valid;
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

  BinnedValues binned(values, *low, *high);
  levels.entropy = levels.maximum > levels.minimum ? binned.Entropy() : 0;
  levels.percentile_5 = binned.AtShare(0.05);
  levels.median = binned.AtShare(0.5);
  levels.percentile_95 = binned.AtShare(0.95);
  levels.percentile_99 = binned.AtShare(0.99);
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
  const double threshold = 0.05 * range;
  for (int64_t y = 0; y < image.height; ++y) {
    double row = 0, row_x1 = 0, row_x2 = 0;  // In pixels.
    int64_t first = image.width, last = -1;
    for (int64_t x = 0; x < image.width; ++x) {
      if (image.valid[static_cast<size_t>(y * image.width + x)] == 0) continue;
      const double weight = std::abs(image.At(y, x) - background);
      if (weight > threshold) {
        first = std::min(first, x);
        last = x;
      }
      const double place = static_cast<double>(x);
      row += weight;
      row_x1 += weight * place;
      row_x2 += weight * place * place;
    }
    if (last >= 0) {
      top = std::min(top, y);
      bottom = y;
      left = std::min(left, first);
      right = std::max(right, last);
    }
    const double down = static_cast<double>(y) / static_cast<double>(image.height);
    mass += row;
    y1 += row * down;
    y2 += row * down * down;
    x1 += row_x1;
    x2 += row_x2;
  }
  const double width = static_cast<double>(image.width);
  x1 /= width;
  x2 /= width * width;
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
