// An image as a reader of a foreign format hands it over, and what every such reader looks like.
#ifndef LANGEVIN_DATA_INGEST_DECODED_IMAGE_H_
#define LANGEVIN_DATA_INGEST_DECODED_IMAGE_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/base/tensor_view.h"
#include "data/dataset.h"

namespace langevin::data {

// No decoded image may have more bytes; a file that claims more is refused before memory is taken.
inline constexpr int64_t kMaxDecodedBytes = int64_t{1} << 29;

struct DecodedImage {
  ImageShape shape;
  DType dtype = DType::kUint8;    // kUint8, kUint16 or kFloat32.
  int32_t bits = 8;               // The source's own depth: the largest number is 2^bits - 1.
  bool alpha_left_out = false;    // The file had an alpha channel.
  int64_t images_in_file = 1;     // How many this file holds.
  std::vector<std::byte> pixels;  // (height, width, channels) interleaved, native byte order.
};

using ImageSink = std::function<absl::Status(const DecodedImage&)>;

// Reads the file at `path` and hands each image in it to `sink`, in order; a sink's error ends it
// and is returned. Any other error is a sentence's end about the file, without its path: it becomes
// the reason in rejected.csv. Runs in the sandbox: it may crash, and has no state.
using DecodeFunction = std::function<absl::Status(const std::string& path, const ImageSink& sink)>;

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_DECODED_IMAGE_H_
