// What prepare's report shows: counts, a histogram of intensities, thumbnails. Bounded memory.
#ifndef LANGEVIN_DATA_INGEST_STATISTICS_H_
#define LANGEVIN_DATA_INGEST_STATISTICS_H_

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "core/base/png.h"
#include "data/dataset.h"
#include "data/ingest/decoded_image.h"

namespace langevin::data {

// The part of `image` that people see, 8 bits, at most `max_side` pixels a side; gray or RGB (other
// numbers of channels show the first). Larger images are averaged down.
Picture Thumbnail(const DecodedImage& image, int64_t max_side);

// One thread at a time.
class Statistics {
 public:
  static constexpr int kBins = 64;
  static constexpr int kThumbnailsPerClass = 12;
  static constexpr int kClassesShown = 40;

  // `label` is -1 where there is none. All images have the same shape and format.
  void Add(const DecodedImage& image, Split split, int64_t label);

  // Images by label and split (train, validation).
  const std::map<int64_t, std::array<int64_t, 2>>& counts() const { return counts_; }
  int64_t count(Split split) const;
  // Numbers of all images and channels, over equal parts of 0 .. 2^bits - 1 ([-1, 1] for float32;
  // what lies outside is in the first or last).
  const std::array<int64_t, kBins>& histogram() const { return histogram_; }
  // The first few of each of the first classes.
  const std::map<int64_t, std::vector<Picture>>& thumbnails() const { return thumbnails_; }
  int64_t alpha_left_out() const { return alpha_left_out_; }

 private:
  std::map<int64_t, std::array<int64_t, 2>> counts_;
  std::array<int64_t, kBins> histogram_ = {};
  std::map<int64_t, std::vector<Picture>> thumbnails_;
  int64_t alpha_left_out_ = 0;
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_STATISTICS_H_
