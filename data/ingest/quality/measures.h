// What is measured of every image before anybody judges it: a few numbers, two hashes and a small
// picture.
//
// Measures are a function of the pixels as they will be stored, so the same image has the same ones
// wherever it is decoded. They are small (400 bytes): prepare holds those of all images in
// memory.
#ifndef LANGEVIN_DATA_INGEST_QUALITY_MEASURES_H_
#define LANGEVIN_DATA_INGEST_QUALITY_MEASURES_H_

#include <array>
#include <cstdint>

#include "data/ingest/decoded_image.h"

namespace langevin::data {

// A plain value; copied as bytes between processes of the same program. Shares are of the pixels
// inside the mask, in [0, 1]; scores are in [0, 1], 1 the worst.
struct Measures {
  static constexpr int kFeatures = 16;
  static constexpr int kDescriptorSide = 16;
  static constexpr int kDescriptorLevels = 126;
  static constexpr uint8_t kUnknown = 255;  // In a descriptor: outside the image or its mask.

  std::array<uint64_t, 2> exact_hash = {};  // XXH3-128 over shape, type and pixels.
  // 64 signs of low DCT frequencies of the gray image, centred on its centre of mass.
  uint64_t perceptual_hash = 0;
  uint32_t perceptual_spread = 0;  // How much structure the hash rests on: pixels of a picture of
                                   // at most 64 x 64 that differ from the background. 0: a constant
                                   // image, whose hash means nothing.
  float minimum = 0, maximum = 0, mean = 0, standard_deviation = 0;  // Physical units.
  float dark = 0;             // 1 - the 99th percentile of brightness, as a share of the depth.
  float light = 0;            // The 5th percentile of brightness.
  float blur = 0;             // 1 / (1 + sharpness of the steps between pixels), features.h.
  float low_information = 0;  // 1 - entropy of the gray levels / 8 bits.
  float saturated = 0;        // At the largest number of the depth; float32: at its own maximum.
  float padding = 0;          // Of all pixels: outside the mask.
  float non_finite = 0;       // NaN or infinite in any channel.
  bool constant = false;      // All finite values in the mask are equal, or there are none.
  // For outliers: statistics of intensity and texture that do not say where in the image, see
  // features.h.
  std::array<float, kFeatures> features = {};
  // The gray image in 16 x 16 cells, centred as for the hash: what near duplicates are compared by
  // (likeness.h). A cell is twice its level between the image's lowest (0) and highest value (126),
  // plus 1 if there is saturation in it.
  std::array<uint8_t, kDescriptorSide* kDescriptorSide> descriptor = {};
};

// Any thread.
Measures Measure(const DecodedImage& image);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_QUALITY_MEASURES_H_
