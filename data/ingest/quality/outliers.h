// How far each image is from all others in what it is like.
#ifndef LANGEVIN_DATA_INGEST_QUALITY_OUTLIERS_H_
#define LANGEVIN_DATA_INGEST_QUALITY_OUTLIERS_H_

#include <cstdint>
#include <span>
#include <vector>

#include "data/ingest/quality/judge.h"

namespace langevin::data {

struct OutlierScore {
  double score = 0;
  int feature = 0;  // In which the image differs most from its neighbours (kFeatureNames).
};

// For each of `images` its distance to a neighbour in feature space, where each feature is centred
// on its median and divided by its median absolute deviation (times 1.4826, so that it would be the
// standard deviation of a normal distribution). The neighbour is the one at rank 2 % of all, of at
// most 2,048 evenly drawn from `images`: images are outliers if they lie apart from the rest
// together with fewer than 2 % of their like, whatever clusters the rest has. Scores of a normal
// cloud are about 2 to 5. Fewer than kFewestForOutliers images: all 0. Any thread;
// works on `threads`, whose number changes nothing.
std::vector<OutlierScore> ScoreOutliers(std::span<const JudgedImage> images, int threads = 1);

inline constexpr int64_t kFewestForOutliers = 100;

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_QUALITY_OUTLIERS_H_
