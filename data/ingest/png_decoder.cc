#include <spng.h>

#include <cstring>
#include <memory>
#include <string>

#include "absl/strings/str_format.h"
#include "core/base/file_system.h"
#include "core/base/status_macros.h"
#include "data/ingest/decoders.h"

namespace langevin::data {
namespace {

constexpr uint64_t kMaxFileBytes = uint64_t{1} << 29;
constexpr uint32_t kMaxSide = 1 << 16;
constexpr size_t kMaxChunkBytes = size_t{64} << 20;  // Of a single chunk, inflated.

absl::Status Unreadable(std::string_view problem) {
  return absl::DataLossError(absl::StrFormat("is no PNG that can be read: %s", problem));
}

// How the decoder lays out pixels, and what of it is kept.
struct Layout {
  int format = SPNG_FMT_PNG;
  int64_t decoded_channels = 1;
  int64_t kept_channels = 1;
  DType dtype = DType::kUint8;
};

Layout LayoutFor(const spng_ihdr& header) {
  Layout layout;
  layout.dtype = header.bit_depth == 16 ? DType::kUint16 : DType::kUint8;
  switch (header.color_type) {
    case SPNG_COLOR_TYPE_INDEXED:
      layout.format = SPNG_FMT_RGB8;
      layout.decoded_channels = layout.kept_channels = 3;
      break;
    case SPNG_COLOR_TYPE_TRUECOLOR:
      layout.decoded_channels = layout.kept_channels = 3;
      break;
    case SPNG_COLOR_TYPE_TRUECOLOR_ALPHA:
      layout.decoded_channels = 4;
      layout.kept_channels = 3;
      break;
    case SPNG_COLOR_TYPE_GRAYSCALE_ALPHA:
      layout.decoded_channels = 2;
      break;
    default:
      if (header.bit_depth < 8) layout.format = SPNG_FMT_G8;
  }
  return layout;
}

// Moves the kept channels of each pixel together, in place.
void DropChannels(const Layout& layout, int64_t pixel_count, std::vector<std::byte>& pixels) {
  const int64_t from_bytes = layout.decoded_channels * static_cast<int64_t>(SizeOf(layout.dtype));
  const int64_t to_bytes = layout.kept_channels * static_cast<int64_t>(SizeOf(layout.dtype));
  for (int64_t i = 0; i < pixel_count; ++i) {
    std::memmove(pixels.data() + i * to_bytes, pixels.data() + i * from_bytes,
                 static_cast<size_t>(to_bytes));
  }
  pixels.resize(static_cast<size_t>(pixel_count * to_bytes));
}

}  // namespace

absl::Status DecodePng(const std::string& path, const ImageSink& sink) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::string contents,
                            PosixFileSystem().ReadFile(path, kMaxFileBytes));
  if (contents.empty()) return Unreadable("the file is empty");
  const std::unique_ptr<spng_ctx, void (*)(spng_ctx*)> context(spng_ctx_new(0), spng_ctx_free);
  if (context == nullptr) return absl::ResourceExhaustedError("needs more memory than there is");
  spng_set_image_limits(context.get(), kMaxSide, kMaxSide);
  spng_set_chunk_limits(context.get(), kMaxChunkBytes, 2 * kMaxChunkBytes);
  // Checksums of chunks that hold no pixels do not matter; those of the others are errors.
  spng_set_crc_action(context.get(), SPNG_CRC_ERROR, SPNG_CRC_DISCARD);
  spng_ihdr header;
  int error = spng_set_png_buffer(context.get(), contents.data(), contents.size());
  if (error == 0) error = spng_get_ihdr(context.get(), &header);
  if (error != 0) return Unreadable(spng_strerror(error));

  const Layout layout = LayoutFor(header);
  size_t decoded_bytes = 0;
  error = spng_decoded_image_size(context.get(), layout.format, &decoded_bytes);
  if (error != 0) return Unreadable(spng_strerror(error));
  if (decoded_bytes > static_cast<size_t>(kMaxDecodedBytes)) {
    return Unreadable(absl::StrFormat("its %d x %d pixels need %d bytes, more than the %d allowed",
                                      header.width, header.height, decoded_bytes,
                                      kMaxDecodedBytes));
  }
  DecodedImage image;
  image.pixels.resize(decoded_bytes);
  error = spng_decode_image(context.get(), image.pixels.data(), decoded_bytes, layout.format, 0);
  // Reading on to the end finds damage behind the last row.
  if (error == 0) error = spng_decode_chunks(context.get());
  if (error != 0) return Unreadable(spng_strerror(error));

  image.shape = {.height = header.height, .width = header.width, .channels = layout.kept_channels};
  image.dtype = layout.dtype;
  image.bits = layout.dtype == DType::kUint16 ? 16 : 8;
  image.alpha_left_out = layout.decoded_channels != layout.kept_channels;
  if (image.alpha_left_out) {
    DropChannels(layout, int64_t{header.width} * header.height, image.pixels);
  }
  return sink(image);
}

}  // namespace langevin::data
