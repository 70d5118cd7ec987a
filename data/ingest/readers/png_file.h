// The chunks of a PNG file (PNG specification, sections 5 and 11), parsed and checked, and its
// pixel data inflated.
#ifndef LANGEVIN_DATA_INGEST_READERS_PNG_FILE_H_
#define LANGEVIN_DATA_INGEST_READERS_PNG_FILE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace langevin::data {

struct PngFile {
  // Bits of color_type.
  static constexpr int kPalette = 1, kColor = 2, kAlpha = 4;

  int64_t width = 0, height = 0;
  int bit_depth = 8;
  int color_type = 0;
  bool interlaced = false;
  bool animated = false;
  std::vector<std::array<uint8_t, 3>> palette;
  bool has_transparency = false;             // A chunk tRNS.
  std::vector<uint8_t> palette_alpha;        // At most as long as the palette; the rest is opaque.
  std::array<uint16_t, 3> transparent = {};  // The one colour (or gray) that is transparent.
  std::string_view packed;                   // The zlib stream: inside the file, or in `joined`.
  std::string joined;

  int channels() const {
    if (color_type == kPalette + kColor) return 1;
    return ((color_type & kColor) != 0 ? 3 : 1) + ((color_type & kAlpha) != 0 ? 1 : 0);
  }
  // Of a scanline of `pixels` pixels, without the byte that names its filter.
  size_t RowBytes(int64_t pixels) const {
    return (static_cast<size_t>(pixels) * static_cast<size_t>(channels() * bit_depth) + 7) / 8;
  }
};

// `contents` must outlive the result. Errors are ends of the sentence "is no PNG that can be read:
// it ...". The number of pixels has not been judged.
absl::StatusOr<std::unique_ptr<PngFile>> ParsePng(std::string_view contents);

// Inflates the pixel data into `scanlines`, which it fills.
absl::Status InflatePng(const PngFile& file, std::span<uint8_t> scanlines);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_READERS_PNG_FILE_H_
