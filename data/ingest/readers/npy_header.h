// The header of NumPy's NPY format, versions 1 to 3 (numpy.lib.format). Python is not involved:
// arrays of objects, which NumPy keeps as pickles, are refused.
#ifndef LANGEVIN_DATA_INGEST_READERS_NPY_HEADER_H_
#define LANGEVIN_DATA_INGEST_READERS_NPY_HEADER_H_

#include <cstdint>
#include <string_view>

#include "absl/status/statusor.h"
#include "data/ingest/readers/array_images.h"
#include "data/ingest/readers/byte_stream.h"

namespace langevin::data {

struct NpyHeader {
  ArraySource array;
  uint64_t bytes = 0;  // Of the header, from the file's first byte.
};

// Reads the header that `stream` begins with.
absl::StatusOr<NpyHeader> ReadNpyHeader(ByteStream& stream);

// The dictionary in it: "{'descr': '<f4', 'fortran_order': False, 'shape': (60, 28, 28), }".
absl::StatusOr<ArraySource> ParseNpyDictionary(std::string_view text);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_READERS_NPY_HEADER_H_
