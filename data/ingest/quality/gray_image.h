// One channel of brightness in place of whatever an image has, on which all measures are taken.
//
// Plain values and pure functions; any thread.
#ifndef LANGEVIN_DATA_INGEST_QUALITY_GRAY_IMAGE_H_
#define LANGEVIN_DATA_INGEST_QUALITY_GRAY_IMAGE_H_

#include <cstdint>
#include <vector>

#include "data/ingest/decoded_image.h"

namespace langevin::data {

struct GrayImage {
  int64_t height = 0;
  int64_t width = 0;
  // Rows from the top, 0 the lowest and 1 the highest number of the depth. What is not valid holds
  // the mean of what is, so that filters need not ask.
  std::vector<float> values;
  std::vector<uint8_t> valid;  // 1: inside the mask and finite in every channel.
  int64_t valid_count = 0;

  float At(int64_t y, int64_t x) const { return values[static_cast<size_t>(y * width + x)]; }
};

// Where brightness 0 and 1 are, in stored numbers: the depth's for integers. float32 says nothing
// of its depth: [0, 1] if all values are in it, else [-1, 1], else its own lowest and highest.
struct BrightnessRange {
  double black = 0;
  double white = 1;
  bool is_known = true;  // False: its own extremes.
};
BrightnessRange RangeOf(const DecodedImage& image);

// Three channels: Rec. 601 luma; any other number: their mean.
GrayImage ToGray(const DecodedImage& image, const BrightnessRange& range);

// Averaged over cells into at most `side` x `side`, each side for itself; smaller ones stay. A cell
// is valid if half of it is.
GrayImage ShrinkTo(GrayImage image, int64_t side);

// The median of the valid pixels on the four edges: the background of most images that have one.
float BorderMedian(const GrayImage& image);

// Calls visit(index, value as double) for each stored number, in order.
template <typename Visit>
void VisitNumbers(const DecodedImage& image, Visit visit) {
  const auto walk = [&](auto zero) {
    using T = decltype(zero);
    const T* const numbers = reinterpret_cast<const T*>(image.pixels.data());
    const int64_t count = image.shape.values();
    for (int64_t i = 0; i < count; ++i) visit(i, static_cast<double>(numbers[i]));
  };
  if (image.dtype == DType::kUint8) return walk(uint8_t{});
  if (image.dtype == DType::kUint16) return walk(uint16_t{});
  walk(float{});
}

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_QUALITY_GRAY_IMAGE_H_
