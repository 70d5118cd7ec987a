// How images of the compressed layout are stored, and back to their bytes.
//
// These run on the loader's threads, outside of any sandbox, and are therefore only given bytes
// whose checksum matched what `prepare` wrote. Sizes are those of the shard's header, never those
// that the bytes claim.
#ifndef LANGEVIN_DATA_IMAGE_CODEC_H_
#define LANGEVIN_DATA_IMAGE_CODEC_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "core/base/tensor_view.h"
#include "data/dataset.h"

namespace langevin::data {

// The numbers stand in files.
enum class ImageCodec : uint8_t {
  kStored = 0,
  // zlib's format, over the bytes of the image in another order: the first byte of every pixel,
  // then the second, ... (a pixel has channels * bytes a number of them).
  kZlib = 1,
  // A whole file of gray or RGB with 8 or 16 bits, of the image's own depth, without alpha.
  kPng = 2,
  // A whole file, gray or YCbCr; decoded by libjpeg-turbo with its accurate integer transform,
  // which gives the same bytes on every machine.
  kJpeg = 3,
};

struct EncodedImage {
  ImageCodec codec = ImageCodec::kStored;
  std::vector<std::byte> bytes;
};

// The smaller of stored and zlib. `pixel_bytes`: channels times bytes a number.
EncodedImage EncodeImage(std::span<const std::byte> pixels, int64_t pixel_bytes);

// Fills `pixels`, which has the size of an image of this shape and format. Errors are sentences'
// ends: a damaged stream, an image of another size or kind, a codec that there is not.
absl::Status DecodeImage(ImageCodec codec, std::span<const std::byte> bytes,
                         const ImageShape& shape, DType dtype, std::span<std::byte> pixels);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_IMAGE_CODEC_H_
