// The one number format of a data set, where its sources have several: CT slices with different
// offsets, or slices with slopes of their own.
#ifndef LANGEVIN_DATA_INGEST_STORED_FORMAT_H_
#define LANGEVIN_DATA_INGEST_STORED_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/base/tensor_view.h"
#include "data/dataset.h"

namespace langevin::data {

struct StoredFormat {
  DType dtype = DType::kUint8;
  int32_t bits = 8;
  PhysicalUnits physical;

  friend bool operator==(const StoredFormat&, const StoredFormat&) = default;
};

// The format that holds the physical values of all of these without loss, if there is one: the same
// slope and offsets that are whole steps apart give uint16 with the lowest offset if the numbers
// fit; other physical units float32 in these units. Nothing where units differ, or where formats
// without physical meaning differ: 8 and 16 bits are not the same scale.
std::optional<StoredFormat> CommonFormat(std::span<const StoredFormat> formats);

// Brings an image's pixels from one format to another that CommonFormat gave for it.
void ConvertPixels(const StoredFormat& from, const StoredFormat& to,
                   std::vector<std::byte>& pixels);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_STORED_FORMAT_H_
