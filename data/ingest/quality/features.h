// The numbers in which outliers stand out: what an image's intensities and texture are like, not
// what is where in it.
#ifndef LANGEVIN_DATA_INGEST_QUALITY_FEATURES_H_
#define LANGEVIN_DATA_INGEST_QUALITY_FEATURES_H_

#include <array>

#include "data/ingest/quality/gray_image.h"
#include "data/ingest/quality/measures.h"

namespace langevin::data {

using Features = decltype(Measures::features);

// What each place of Features is, in words for people.
extern const std::array<const char*, Measures::kFeatures> kFeatureNames;

// The least deviation that each feature is taken to have: a data set in which one hardly varies
// must not call every small difference in it an outlier.
extern const std::array<double, Measures::kFeatures> kFeatureFloors;

// Levels of gray in order, and what follows from them.
struct GrayLevels {
  double mean = 0, standard_deviation = 0;
  double minimum = 0, maximum = 0;
  double percentile_5 = 0, median = 0, percentile_95 = 0, percentile_99 = 0;
  double entropy = 0;  // Bits, of 256 equal parts between minimum and maximum.
};

// Of the valid pixels; zeros if there are none. Any thread.
GrayLevels LevelsOf(const GrayImage& image);

// Differences between neighbouring pixels.
struct Texture {
  double down = 0, across = 0;  // Mean absolute difference of neighbours.
  double second = 0;            // Mean absolute Laplacian, 4 times the pixel less its neighbours.
  double edges = 0;             // Share of pixels where it jumps by a quarter of the range.

  // How sharp the steps are, whatever the contrast: about 1.6 for white noise, 1 to 1.6 for
  // sharp pictures, 0 for a ramp.
  double sharpness() const { return down + across > 0 ? second / (down + across) : 0; }
};

// Zeros for images with a side below 3. Any thread.
Texture TextureOf(const GrayImage& image, const GrayLevels& levels);

// All finite, whatever the image. Any thread.
Features FeaturesOf(const GrayImage& image, const GrayLevels& levels, const Texture& texture);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_QUALITY_FEATURES_H_
