// Resampling of images with antialiasing: each output pixel is a weighted mean of the input pixels
// under a filter that grows with the reduction, as in Pillow's Image.resize.
//
// Numbers are those of Pillow's LANCZOS and BILINEAR but for rounding: it rounds and clips 8-bit
// images after each direction, this only at the end.
#ifndef LANGEVIN_DATA_INGEST_GEOMETRY_RESIZE_H_
#define LANGEVIN_DATA_INGEST_GEOMETRY_RESIZE_H_

#include <cstdint>

#include "configs/prepare_config.h"
#include "data/ingest/decoded_image.h"

namespace langevin::data {

// Part of an image, in pixels.
struct PixelBox {
  int64_t top = 0, left = 0, height = 0, width = 0;
};

// `box` of `image`, which must lie inside it, resampled to `height` x `width`, each at least 1. All
// but pixels, mask and size is copied from `image`. Integers are rounded to nearest and clamped to
// the depth. Where the image has a mask, or float pixels that are not finite, only valid pixels are
// averaged, and an output pixel is valid if at least half of its filter's weight is on such; others
// are 0. Any thread.
DecodedImage Resize(const DecodedImage& image, const PixelBox& box, int64_t height, int64_t width,
                    configs::ResizeFilter filter);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_GEOMETRY_RESIZE_H_
