// What makes an image recognisable after small changes: a hash to find candidates by, and a small
// picture to compare them by.
//
// Both are taken in a window as large as the image, centred on its centre of mass: how much each
// pixel differs from the background. A copy that is shifted by some pixels moves its centre along,
// so that the hash hardly changes, where that of the image as it lies changes in 18 of 64 bits
// (median over Fashion-MNIST, shifts up to two pixels; centred: 2).
#ifndef LANGEVIN_DATA_INGEST_QUALITY_PERCEPTUAL_H_
#define LANGEVIN_DATA_INGEST_QUALITY_PERCEPTUAL_H_

#include <array>
#include <cstdint>

#include "data/ingest/quality/gray_image.h"
#include "data/ingest/quality/measures.h"

namespace langevin::data {

struct Perceptual {
  uint64_t hash = 0;
  uint32_t spread = 0;
  decltype(Measures::descriptor) descriptor = {};
};

// `image` is at most 64 x 64 (ShrinkTo). Any thread.
Perceptual LookAt(const GrayImage& image);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_QUALITY_PERCEPTUAL_H_
