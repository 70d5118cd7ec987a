// What size images get: fitted to one size, cut into tiles, or to the nearest of several sizes.
//
// A function of the one image. Masks go along; padding becomes part of the mask.
#ifndef LANGEVIN_DATA_INGEST_GEOMETRY_GEOMETRY_H_
#define LANGEVIN_DATA_INGEST_GEOMETRY_GEOMETRY_H_

#include <cstdint>
#include <functional>

#include "absl/status/status.h"
#include "configs/prepare_config.h"
#include "data/ingest/decoded_image.h"
#include "data/ingest/geometry/resize.h"

namespace langevin::data {

// The pixels of `box`, which must lie inside the image, and all else of it.
DecodedImage Crop(const DecodedImage& image, const PixelBox& box);

// Takes an image and the index of the bucket it went to (0 without buckets).
using GeometrySink = std::function<absl::Status(const DecodedImage& image, int32_t bucket)>;

// Hands each image that `image` becomes to `sink`: one, or its tiles, row by row. InvalidArgument,
// as a sentence's end about the image: too small for a tile.
absl::Status ApplyGeometry(const DecodedImage& image, const configs::GeometryConfig& config,
                           const GeometrySink& sink);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_GEOMETRY_GEOMETRY_H_
