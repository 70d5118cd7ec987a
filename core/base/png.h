// PNG encoding of images for people. Decoding of foreign PNG files is data/ingest's, in its
// sandbox.
#ifndef LANGEVIN_CORE_BASE_PNG_H_
#define LANGEVIN_CORE_BASE_PNG_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace langevin {

// 8-bit gray (channels 1) or RGB (channels 3), interleaved rows from the top.
struct Picture {
  int64_t width = 0;
  int64_t height = 0;
  int channels = 1;
  std::vector<uint8_t> pixels;
};

// The same with 16 bits a channel.
struct Picture16 {
  int64_t width = 0;
  int64_t height = 0;
  int channels = 1;
  std::vector<uint16_t> pixels;
};

// The bytes of a PNG file. Internal error if the library fails.
absl::StatusOr<std::string> EncodePng(const Picture& picture);
absl::StatusOr<std::string> EncodePng(const Picture16& picture);

// One image, `values` (channels, height, width), from [-1, 1] to 0..255 by rounding to nearest;
// values outside are clamped, NaN is 0. Other than 1 or 3 channels: one gray tile a channel, side
// by side.
Picture PictureFromModelRange(std::span<const float> values, int64_t channels, int64_t height,
                              int64_t width);

// The same from [-1, 1] to 0..65535.
Picture16 Picture16FromModelRange(std::span<const float> values, int64_t channels, int64_t height,
                                  int64_t width);

// Tiles of equal size in rows of ceil(sqrt(count)), 2 black pixels between tiles (and none around).
// Requires at least one picture.
Picture Grid(const std::vector<Picture>& tiles);

}  // namespace langevin

#endif  // LANGEVIN_CORE_BASE_PNG_H_
