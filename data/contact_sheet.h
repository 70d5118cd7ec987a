// A picture of some images of a data set, for people: one row a class, as the model sees them.
#ifndef LANGEVIN_DATA_CONTACT_SHEET_H_
#define LANGEVIN_DATA_CONTACT_SHEET_H_

#include <cstdint>
#include <span>
#include <string>

#include "absl/status/statusor.h"
#include "core/base/file_system.h"
#include "core/base/png.h"
#include "data/dataset.h"

namespace langevin::data {

// Of all splits of the data set in `folder`: with labels 12 images of each of the first 40 classes
// in rows, else 96 in rows of 12; which ones is a function of their number alone. Tiles are at most
// 128 pixels a side (larger images are averaged down) with 2 black pixels between them.
//
// Stored numbers go through the intensity map; what is shown is the model's range [-1, 1], or,
// where a map does not end there (z-scores), what lies between the 1st and 99th percentile of the
// images shown. Other than 1 or 3 channels: the first. Missing pixels are blue.
//
// Errors are Dataset::Open's and ReadImage's.
absl::StatusOr<Picture> ContactSheet(FileSystem& file_system, const std::string& folder);

struct ShownRange {
  double low = -1;  // Black.
  double high = 1;  // White.
};

// One tile, RGB: `values` (height, width, channels) in the model's units, `mask` (height, width) or
// empty.
Picture Tile(std::span<const float> values, std::span<const uint8_t> mask, const ImageShape& shape,
             const ShownRange& range, int64_t max_side);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_CONTACT_SHEET_H_
