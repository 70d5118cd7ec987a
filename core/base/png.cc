#include "core/base/png.h"

#include <spng.h>

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstdlib>
#include <memory>

#include "absl/strings/str_format.h"

namespace langevin {
namespace {

constexpr int64_t kGapBetweenTiles = 2;

// The steps of diffusers' VaeImageProcessor (float32, halves to even), so that its pictures of the
// same samples are the same bytes.
uint8_t ToByte(float value) {
  const float unit = value / 2 + 0.5f;
  if (!(unit > 0)) return 0;  // Also NaN.
  return static_cast<uint8_t>(std::nearbyint(std::min(unit, 1.0f) * 255));
}

uint16_t ToWord(float value) {
  const double unit = static_cast<double>(value) / 2 + 0.5;
  if (!(unit > 0)) return 0;
  return static_cast<uint16_t>(std::nearbyint(std::min(unit, 1.0) * 65535));
}

template <typename AnyPicture>
absl::Status PngError(const AnyPicture& picture, const char* reason) {
  return absl::InternalError(absl::StrFormat("cannot encode a picture of %d x %d x %d as PNG: %s",
                                             picture.width, picture.height, picture.channels,
                                             reason));
}

template <typename AnyPicture>
absl::StatusOr<std::string> Encode(const AnyPicture& picture) {
  if (picture.channels != 1 && picture.channels != 3) {
    return PngError(picture, "1 or 3 channels are possible");
  }
  if (picture.pixels.size() != picture.width * picture.height * picture.channels) {
    return PngError(picture, "the number of pixels is another");
  }
  const std::unique_ptr<spng_ctx, void (*)(spng_ctx*)> context(spng_ctx_new(SPNG_CTX_ENCODER),
                                                               spng_ctx_free);
  if (context == nullptr) return PngError(picture, "out of memory");
  spng_ihdr header{};
  header.width = static_cast<uint32_t>(picture.width);
  header.height = static_cast<uint32_t>(picture.height);
  header.bit_depth = 8 * sizeof(picture.pixels[0]);
  header.color_type = picture.channels == 1 ? SPNG_COLOR_TYPE_GRAYSCALE : SPNG_COLOR_TYPE_TRUECOLOR;
  int error = spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1);
  if (error == 0) error = spng_set_ihdr(context.get(), &header);
  if (error == 0) {
    error = spng_encode_image(context.get(), picture.pixels.data(),
                              picture.pixels.size() * sizeof(picture.pixels[0]), SPNG_FMT_PNG,
                              SPNG_ENCODE_FINALIZE);
  }
  if (error != 0) return PngError(picture, spng_strerror(error));
  size_t size = 0;
  const std::unique_ptr<void, void (*)(void*)> buffer(
      spng_get_png_buffer(context.get(), &size, &error), std::free);
  if (buffer == nullptr) return PngError(picture, spng_strerror(error));
  return std::string(static_cast<const char*>(buffer.get()), size);
}

// `convert` makes one number of the picture.
template <typename AnyPicture, typename Convert>
AnyPicture FromModelRange(std::span<const float> values, int64_t channels, int64_t height,
                          int64_t width, Convert convert) {
  assert(values.size() == channels * height * width);
  // Planes become the interleaved channels of a colour picture, or tiles side by side.
  const bool is_color = channels == 3;
  AnyPicture picture;
  picture.width = is_color ? width : width * channels;
  picture.height = height;
  picture.channels = is_color ? 3 : 1;
  picture.pixels.resize(values.size());
  size_t next = 0;
  for (int64_t channel = 0; channel < channels; ++channel) {
    for (int64_t y = 0; y < height; ++y) {
      for (int64_t x = 0; x < width; ++x) {
        const int64_t place =
            is_color ? (y * width + x) * 3 + channel : (y * channels + channel) * width + x;
        picture.pixels[place] = convert(values[next++]);
      }
    }
  }
  return picture;
}

}  // namespace

absl::StatusOr<std::string> EncodePng(const Picture& picture) { return Encode(picture); }
absl::StatusOr<std::string> EncodePng(const Picture16& picture) { return Encode(picture); }

Picture PictureFromModelRange(std::span<const float> values, int64_t channels, int64_t height,
                              int64_t width) {
  return FromModelRange<Picture>(values, channels, height, width, ToByte);
}

Picture16 Picture16FromModelRange(std::span<const float> values, int64_t channels, int64_t height,
                                  int64_t width) {
  return FromModelRange<Picture16>(values, channels, height, width, ToWord);
}

Picture Grid(const std::vector<Picture>& tiles) {
  assert(!tiles.empty());
  const auto count = static_cast<int64_t>(tiles.size());
  auto columns = static_cast<int64_t>(std::sqrt(static_cast<double>(count)));
  if (columns * columns < count) ++columns;
  const int64_t rows = (count + columns - 1) / columns;
  const Picture& first = tiles.front();
  Picture grid;
  grid.channels = first.channels;
  grid.width = columns * (first.width + kGapBetweenTiles) - kGapBetweenTiles;
  grid.height = rows * (first.height + kGapBetweenTiles) - kGapBetweenTiles;
  grid.pixels.resize(grid.width * grid.height * grid.channels);
  const int64_t tile_row = first.width * first.channels;
  for (int64_t i = 0; i < count; ++i) {
    const Picture& tile = tiles[i];
    assert(tile.width == first.width && tile.height == first.height &&
           tile.channels == first.channels);
    const int64_t left = i % columns * (first.width + kGapBetweenTiles);
    const int64_t top = i / columns * (first.height + kGapBetweenTiles);
    for (int64_t y = 0; y < tile.height; ++y) {
      std::copy_n(tile.pixels.begin() + y * tile_row, tile_row,
                  grid.pixels.begin() + ((top + y) * grid.width + left) * grid.channels);
    }
  }
  return grid;
}

}  // namespace langevin
