#include "data/ingest/quality/outliers.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "data/ingest/quality/features.h"

namespace langevin::data {
namespace {

constexpr size_t kFeatures = Measures::kFeatures;
constexpr int64_t kMostReferences = 2048;
constexpr double kNeighbourShare = 0.02;
// One feature that hardly ever varies must not decide alone.
constexpr float kFarthest = 30;

// The standardised features of one image after the other: feature f of image i at i + f * count,
// so that distances to many are computed along memory.
struct Standardised {
  size_t count = 0;
  std::vector<float> values;
};

double MedianOf(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

Standardised Standardise(std::span<const JudgedImage> images) {
  Standardised result = {.count = images.size(),
                         .values = std::vector<float>(images.size() * kFeatures)};
  std::vector<double> column(images.size());
  for (size_t f = 0; f < kFeatures; ++f) {
    const auto fill = [&](auto value) {
      std::transform(images.begin(), images.end(), column.begin(), [&](const JudgedImage& image) {
        return value(static_cast<double>(image.measures.features[f]));
      });
    };
    fill([](double value) { return value; });
    const double median = MedianOf(column);
    fill([&](double value) { return std::abs(value - median); });
    const double deviation = std::max(1.4826 * MedianOf(column), kFeatureFloors[f]);
    for (size_t i = 0; i < images.size(); ++i) {
      result.values[f * images.size() + i] =
          std::clamp(static_cast<float>((images[i].measures.features[f] - median) / deviation),
                     -kFarthest, kFarthest);
    }
  }
  return result;
}

}  // namespace

std::vector<OutlierScore> ScoreOutliers(std::span<const JudgedImage> images) {
  std::vector<OutlierScore> scores(images.size());
  const int64_t count = static_cast<int64_t>(images.size());
  if (count < kFewestForOutliers) return scores;
  const Standardised all = Standardise(images);

  const int64_t references = std::min(count, kMostReferences);
  std::vector<float> reference(static_cast<size_t>(references) * kFeatures);
  for (size_t f = 0; f < kFeatures; ++f) {
    for (int64_t r = 0; r < references; ++r) {
      reference[f * static_cast<size_t>(references) + static_cast<size_t>(r)] =
          all.values[f * all.count + static_cast<size_t>(r * count / references)];
    }
  }
  const size_t rank =
      static_cast<size_t>(std::llround(kNeighbourShare * static_cast<double>(references)));
  std::vector<float> distance(static_cast<size_t>(references));
  std::vector<float> sorted(distance.size());
  for (size_t i = 0; i < all.count; ++i) {
    std::fill(distance.begin(), distance.end(), 0.0f);
    for (size_t f = 0; f < kFeatures; ++f) {
      const float own = all.values[f * all.count + i];
      const float* const others = reference.data() + f * distance.size();
      for (size_t r = 0; r < distance.size(); ++r) {
        distance[r] += (others[r] - own) * (others[r] - own);
      }
    }
    sorted = distance;
    const auto place = sorted.begin() + static_cast<std::ptrdiff_t>(rank);
    std::nth_element(sorted.begin(), place, sorted.end());
    scores[i].score = std::sqrt(static_cast<double>(*place));
    const size_t neighbour =
        static_cast<size_t>(std::find(distance.begin(), distance.end(), *place) - distance.begin());
    double largest = -1;
    for (size_t f = 0; f < kFeatures; ++f) {
      const double difference =
          std::abs(all.values[f * all.count + i] - reference[f * distance.size() + neighbour]);
      if (difference <= largest) continue;
      largest = difference;
      scores[i].feature = static_cast<int>(f);
    }
  }
  return scores;
}

}  // namespace langevin::data
