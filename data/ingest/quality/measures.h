// What is measured of every image before anybody judges it: a few numbers and two hashes.
//
// Measures are a function of the pixels as they will be stored, so the same image has the same ones
// wherever it is decoded. They are small: prepare holds those of all images in memory.
#ifndef LANGEVIN_DATA_INGEST_QUALITY_MEASURES_H_
#define LANGEVIN_DATA_INGEST_QUALITY_MEASURES_H_

#include <array>
#include <cstdint>

#include "data/ingest/decoded_image.h"

namespace langevin::data {

// A plain value; copied as bytes between processes of the same program. Shares are of the pixels
// inside the mask, in [0, 1]; scores are in [0, 1], 1 the worst.
struct Measures {
  static constexpr int kFeatures = 12;

  std::array<uint64_t, 2> exact_hash = {};  // XXH3-128 over shape, type and pixels.
  uint64_t perceptual_hash = 0;             // 64 signs of low DCT frequencies of the gray image.
  uint32_t perceptual_spread = 0;  // How much structure the hash rests on; 0: a constant image,
                                   // whose hash means nothing.
  float minimum = 0, maximum = 0, mean = 0, standard_deviation = 0;  // Physical units.
  float dark = 0, light = 0, blur = 0, low_information = 0;
  float saturated = 0, padding = 0, non_finite = 0;
  bool constant = false;
  // For outliers: position-free statistics of intensity and texture, see measures.cc.
  std::array<float, kFeatures> features = {};
};

// Any thread.
Measures Measure(const DecodedImage& image);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_QUALITY_MEASURES_H_
