#include "data/ingest/quality/outliers.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/base/parallel_for.h"
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

// distances[r] += (others[r] - own)^2.
__attribute__((target_clones("avx2", "default"))) void AddSquares(const float* __restrict others,
                                                                  float own, size_t count,
                                                                  float* __restrict distances) {
  for (size_t r = 0; r < count; ++r) distances[r] += (others[r] - own) * (others[r] - own);
}

// Scores images against a sample of them. Any thread.
class Scorer {
 public:
  explicit Scorer(const Standardised& all)
      : all_(all),
        count_(std::min(all.count, static_cast<size_t>(kMostReferences))),
        references_(count_ * kFeatures),
        rank_(static_cast<size_t>(std::llround(kNeighbourShare * static_cast<double>(count_)))) {
    for (size_t f = 0; f < kFeatures; ++f) {
      for (size_t r = 0; r < count_; ++r) {
        references_[f * count_ + r] = all.values[f * all.count + r * all.count / count_];
      }
    }
  }

  // `distances` and `sorted` are reused memory.
  OutlierScore Score(size_t image, std::vector<float>& distances,
                     std::vector<float>& sorted) const {
    distances.assign(count_, 0);
    for (size_t f = 0; f < kFeatures; ++f) {
      AddSquares(references_.data() + f * count_, Own(f, image), count_, distances.data());
    }
    sorted = distances;
    const auto place = sorted.begin() + static_cast<std::ptrdiff_t>(rank_);
    std::nth_element(sorted.begin(), place, sorted.end());
    OutlierScore score = {.score = std::sqrt(static_cast<double>(*place))};
    const auto neighbour = static_cast<size_t>(
        std::find(distances.begin(), distances.end(), *place) - distances.begin());
    double largest = -1;
    for (size_t f = 0; f < kFeatures; ++f) {
      const double difference = std::abs(Own(f, image) - references_[f * count_ + neighbour]);
      if (difference <= largest) continue;
      largest = difference;
      score.feature = static_cast<int>(f);
    }
    return score;
  }

 private:
  float Own(size_t feature, size_t image) const {
    return all_.values[feature * all_.count + image];
  }

  const Standardised& all_;
  const size_t count_;             // Of references.
  std::vector<float> references_;  // Feature f of reference r at f * count_ + r.
  const size_t rank_;
};

}  // namespace

std::vector<OutlierScore> ScoreOutliers(std::span<const JudgedImage> images, int threads) {
  std::vector<OutlierScore> scores(images.size());
  const int64_t count = static_cast<int64_t>(images.size());
  if (count < kFewestForOutliers) return scores;
  const Standardised all = Standardise(images);
  const Scorer scorer(all);
  ParallelFor(count, threads, /*grain=*/256, [&](int64_t begin, int64_t end) {
    std::vector<float> distances, sorted;
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      scores[i] = scorer.Score(i, distances, sorted);
    }
  });
  return scores;
}

}  // namespace langevin::data
