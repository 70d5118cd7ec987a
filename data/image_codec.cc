#include "data/image_codec.h"

#include <spng.h>
#include <turbojpeg.h>
#include <zlib.h>

#include <cstring>
#include <memory>

#include "absl/strings/str_cat.h"

namespace langevin::data {
namespace {

// Fast enough to write with, and hardly larger than with 9.
constexpr int kZlibLevel = 6;

absl::Status Damaged(std::string_view what) {
  return absl::DataLossError(absl::string_view(what.data(), what.size()));
}

// The i-th byte of every pixel side by side, and back.
void Shuffle(std::span<const std::byte> pixels, size_t pixel_bytes, std::span<std::byte> out) {
  const size_t count = pixels.size() / pixel_bytes;
  for (size_t byte = 0; byte < pixel_bytes; ++byte) {
    std::byte* const plane = out.data() + byte * count;
    for (size_t i = 0; i < count; ++i) plane[i] = pixels[i * pixel_bytes + byte];
  }
}

void Unshuffle(std::span<const std::byte> planes, size_t pixel_bytes, std::span<std::byte> out) {
  const size_t count = planes.size() / pixel_bytes;
  for (size_t byte = 0; byte < pixel_bytes; ++byte) {
    const std::byte* const plane = planes.data() + byte * count;
    for (size_t i = 0; i < count; ++i) out[i * pixel_bytes + byte] = plane[i];
  }
}

absl::Status DecodeZlib(std::span<const std::byte> bytes, size_t pixel_bytes,
                        std::span<std::byte> pixels) {
  std::vector<std::byte> planes(pixel_bytes > 1 ? pixels.size() : 0);
  const std::span<std::byte> target = pixel_bytes > 1 ? std::span(planes) : pixels;
  uLongf size = target.size();
  uLong used = bytes.size();
  const int result = uncompress2(reinterpret_cast<Bytef*>(target.data()), &size,
                                 reinterpret_cast<const Bytef*>(bytes.data()), &used);
  if (result != Z_OK || size != target.size() || used != bytes.size()) {
    return Damaged("is no zlib stream of the image's size");
  }
  if (pixel_bytes > 1) Unshuffle(planes, pixel_bytes, pixels);
  return absl::OkStatus();
}

absl::Status DecodePng(std::span<const std::byte> bytes, const ImageShape& shape, DType dtype,
                       std::span<std::byte> pixels) {
  const std::unique_ptr<spng_ctx, void (*)(spng_ctx*)> context(spng_ctx_new(0), spng_ctx_free);
  if (context == nullptr) return absl::ResourceExhaustedError("no memory for a PNG decoder");
  spng_ihdr header;
  size_t size = 0;
  if (spng_set_png_buffer(context.get(), bytes.data(), bytes.size()) != 0 ||
      spng_get_ihdr(context.get(), &header) != 0) {
    return Damaged("is no PNG file");
  }
  const bool gray = header.color_type == SPNG_COLOR_TYPE_GRAYSCALE && shape.channels == 1;
  const bool rgb = header.color_type == SPNG_COLOR_TYPE_TRUECOLOR && shape.channels == 3;
  const size_t depth = dtype == DType::kFloat32 ? 0 : 8 * SizeOf(dtype);
  if (header.width != shape.width || header.height != shape.height || !(gray || rgb) ||
      header.bit_depth != depth) {
    return Damaged("is a PNG file of another size or kind than the image");
  }
  // As it is in the file, 16 bits in this machine's order.
  if (spng_decoded_image_size(context.get(), SPNG_FMT_PNG, &size) != 0 || size != pixels.size() ||
      spng_decode_image(context.get(), pixels.data(), size, SPNG_FMT_PNG, 0) != 0) {
    return Damaged("is a damaged PNG file");
  }
  return absl::OkStatus();
}

absl::Status DecodeJpeg(std::span<const std::byte> bytes, const ImageShape& shape, DType dtype,
                        std::span<std::byte> pixels) {
  const std::unique_ptr<void, int (*)(void*)> decoder(tjInitDecompress(), tjDestroy);
  if (decoder == nullptr) return absl::ResourceExhaustedError("no memory for a JPEG decoder");
  const auto* const data = reinterpret_cast<const unsigned char*>(bytes.data());
  int width = 0, height = 0, subsampling = 0, colors = 0;
  if (tjDecompressHeader3(decoder.get(), data, bytes.size(), &width, &height, &subsampling,
                          &colors) != 0) {
    return Damaged("is no JPEG file");
  }
  const bool gray = colors == TJCS_GRAY && shape.channels == 1;
  const bool rgb = (colors == TJCS_YCbCr || colors == TJCS_RGB) && shape.channels == 3;
  if (width != shape.width || height != shape.height || !(gray || rgb) || dtype != DType::kUint8) {
    return Damaged("is a JPEG file of another size or kind than the image");
  }
  if (tjDecompress2(decoder.get(), data, bytes.size(),
                    reinterpret_cast<unsigned char*>(pixels.data()), width, 0, height,
                    gray ? TJPF_GRAY : TJPF_RGB, TJFLAG_ACCURATEDCT) != 0) {
    return Damaged("is a damaged JPEG file");
  }
  return absl::OkStatus();
}

}  // namespace

EncodedImage EncodeImage(std::span<const std::byte> pixels, int64_t pixel_bytes) {
  std::vector<std::byte> planes(pixels.size());
  Shuffle(pixels, static_cast<size_t>(pixel_bytes), planes);
  EncodedImage encoded{.codec = ImageCodec::kZlib, .bytes = {}};
  uLongf size = compressBound(planes.size());
  encoded.bytes.resize(size);
  const int result =
      compress2(reinterpret_cast<Bytef*>(encoded.bytes.data()), &size,
                reinterpret_cast<const Bytef*>(planes.data()), planes.size(), kZlibLevel);
  if (result == Z_OK && size < pixels.size()) {
    encoded.bytes.resize(size);
  } else {
    encoded.codec = ImageCodec::kStored;
    encoded.bytes.assign(pixels.begin(), pixels.end());
  }
  return encoded;
}

absl::Status DecodeImage(ImageCodec codec, std::span<const std::byte> bytes,
                         const ImageShape& shape, DType dtype, std::span<std::byte> pixels) {
  switch (codec) {
    case ImageCodec::kStored:
      if (bytes.size() != pixels.size()) return Damaged("does not have the image's size");
      std::memcpy(pixels.data(), bytes.data(), bytes.size());
      return absl::OkStatus();
    case ImageCodec::kZlib:
      return DecodeZlib(bytes, static_cast<size_t>(shape.channels) * SizeOf(dtype), pixels);
    case ImageCodec::kPng:
      return DecodePng(bytes, shape, dtype, pixels);
    case ImageCodec::kJpeg:
      return DecodeJpeg(bytes, shape, dtype, pixels);
  }
  return Damaged(absl::StrCat("has the codec ", static_cast<int>(codec), ", which there is not"));
}

}  // namespace langevin::data
