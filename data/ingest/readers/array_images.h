// Arrays of numbers, as NPY, NPZ, IDX and HDF5 hold them, read as images.
#ifndef LANGEVIN_DATA_INGEST_READERS_ARRAY_IMAGES_H_
#define LANGEVIN_DATA_INGEST_READERS_ARRAY_IMAGES_H_

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "configs/prepare_config.h"
#include "data/ingest/decoded_image.h"
#include "data/ingest/readers/byte_stream.h"
#include "data/ingest/readers/numbers.h"

namespace langevin::data {

// Where in an array each number of each image is, counted in numbers.
struct ArrayLayout {
  int64_t count = 1;
  ImageShape shape;
  int64_t image_stride = 0, row_stride = 0, column_stride = 0, channel_stride = 0;

  // Whether image after image, each row-major and interleaved, follow without gaps.
  bool IsPlain() const;
};

// (H, W); (N, H, W); (H, W, C) where C is 1, 3 or 4 and neither H nor W is below 5; (N, H, W, C);
// (N, C, H, W) where C is 1, 3 or 4 and neither H nor W is below 5. DataLoss: any other rank,
// empty, or an image of more than kMaxDecodedBytes. `extents` may hold any numbers.
absl::StatusOr<ArrayLayout> LayoutOfArray(std::span<const int64_t> extents, bool fortran_order,
                                          int bytes_a_number);

struct ArraySource {
  NumberFormat format;
  std::vector<int64_t> extents;
  bool fortran_order = false;
  std::vector<int64_t> labels;  // Empty, or one for each image; below 0: none.
};

// Hands over the images of the array that `stream` holds from where it is on; `header_bytes` have
// been read of it. What is not image after image (Fortran order) must fit in kMaxDecodedBytes.
absl::Status ReadArrayImages(ByteStream& stream, uint64_t header_bytes, const ArraySource& array,
                             const configs::ReadConfig& config, const ImageSink& sink);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_READERS_ARRAY_IMAGES_H_
