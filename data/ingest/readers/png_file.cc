#include "data/ingest/readers/png_file.h"

#include <libdeflate.h>

#include <algorithm>
#include <cstring>

#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"

namespace langevin::data {
namespace {

constexpr std::string_view kSignature = "\x89PNG\r\n\x1a\n";
constexpr size_t kChunkFrame = 12;  // Length, type and checksum.

uint32_t BigEndian(std::string_view bytes, size_t at, size_t count) {
  uint32_t value = 0;
  for (size_t i = 0; i < count; ++i) value = value << 8 | static_cast<uint8_t>(bytes[at + i]);
  return value;
}

absl::Status Damaged(std::string_view what) {
  return absl::DataLossError(absl::string_view(what.data(), what.size()));
}

absl::Status ParseHeader(std::string_view body, PngFile& file) {
  if (body.size() != 13) return Damaged("has a header of another size");
  file.width = BigEndian(body, 0, 4);
  file.height = BigEndian(body, 4, 4);
  file.bit_depth = static_cast<uint8_t>(body[8]);
  file.color_type = static_cast<uint8_t>(body[9]);
  const int compression = body[10], filter = body[11], interlace = body[12];
  if (file.width == 0 || file.height == 0 || file.width > INT32_MAX || file.height > INT32_MAX) {
    return Damaged("has no pixels");
  }
  const int depth = file.bit_depth;
  bool known = depth == 8 || depth == 16;
  if (file.color_type == 0) known = known || depth == 1 || depth == 2 || depth == 4;
  if (file.color_type == 3) known = depth == 1 || depth == 2 || depth == 4 || depth == 8;
  if (file.color_type > 6 || file.color_type == 1 || file.color_type == 5) known = false;
  if (!known || compression != 0 || filter != 0 || interlace < 0 || interlace > 1) {
    return absl::DataLossError(absl::StrFormat(
        "is of an unknown kind (colour type %d, %d bits, compression %d, filter %d, interlace %d)",
        file.color_type, depth, compression, filter, interlace));
  }
  file.interlaced = interlace == 1;
  return absl::OkStatus();
}

absl::Status ParsePalette(std::string_view body, PngFile& file) {
  if (body.empty() || body.size() % 3 != 0 || body.size() > 768 || !file.palette.empty()) {
    return Damaged("has a damaged palette");
  }
  for (size_t i = 0; i < body.size(); i += 3) {
    file.palette.push_back({static_cast<uint8_t>(body[i]), static_cast<uint8_t>(body[i + 1]),
                            static_cast<uint8_t>(body[i + 2])});
  }
  return absl::OkStatus();
}

absl::Status ParseTransparency(std::string_view body, PngFile& file) {
  if (file.color_type == 3) {
    if (body.size() > file.palette.size()) return Damaged("has more alphas than colours");
    for (const char alpha : body) file.palette_alpha.push_back(static_cast<uint8_t>(alpha));
  } else {
    const size_t numbers = file.color_type == 2 ? 3 : 1;
    if ((file.color_type & PngFile::kAlpha) != 0 || body.size() != 2 * numbers) {
      return Damaged("has a damaged transparency");
    }
    for (size_t i = 0; i < numbers; ++i) {
      file.transparent[i] = static_cast<uint16_t>(BigEndian(body, 2 * i, 2));
    }
  }
  file.has_transparency = true;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<PngFile>> ParsePng(std::string_view contents) {
  if (contents.substr(0, kSignature.size()) != kSignature) return Damaged("does not begin as one");
  auto file = std::make_unique<PngFile>();
  std::vector<std::string_view> parts;  // Bodies of the chunks IDAT.
  bool data_ended = false;
  std::string_view rest = contents.substr(kSignature.size());
  for (bool first = true;; first = false) {
    if (rest.size() < 8) return Damaged("is truncated");
    const size_t size = BigEndian(rest, 0, 4);
    const std::string_view type = rest.substr(4, 4);
    if (first != (type == "IHDR")) return Damaged("does not begin with its only header");
    if (type == "IEND") break;  // Its checksum, over nothing, does not matter.
    if (rest.size() < kChunkFrame || size > rest.size() - kChunkFrame) {
      return Damaged("is truncated");
    }
    const std::string_view body = rest.substr(8, size);
    // A lower-case letter: decoders that do not know the chunk pass over it.
    const bool optional = (type[0] & 0x20) != 0 && type != "tRNS";
    if (!optional &&
        libdeflate_crc32(0, rest.data() + 4, size + 4) != BigEndian(rest, 8 + size, 4)) {
      return Damaged("is damaged (a checksum does not fit)");
    }
    if (type == "IDAT") {
      if (data_ended) return Damaged("has its pixels in two places");
      parts.push_back(body);
    } else {
      data_ended = !parts.empty();
      if (type == "IHDR") {
        LANGEVIN_RETURN_IF_ERROR(ParseHeader(body, *file));
      } else if (type == "PLTE") {
        LANGEVIN_RETURN_IF_ERROR(ParsePalette(body, *file));
      } else if (type == "tRNS") {
        LANGEVIN_RETURN_IF_ERROR(ParseTransparency(body, *file));
      } else if (type == "acTL") {
        file->animated = true;
      } else if (!optional) {
        return Damaged("has a chunk of unknown kind that it cannot do without");
      }
    }
    rest.remove_prefix(size + kChunkFrame);
  }
  if (parts.empty()) return Damaged("has no pixels");
  if (file->color_type == 3 && file->palette.empty()) return Damaged("has no palette");
  if (parts.size() == 1) {
    file->packed = parts[0];
  } else {
    for (const std::string_view part : parts) file->joined.append(part);
    file->packed = file->joined;
  }
  return file;
}

absl::Status InflatePng(const PngFile& file, std::span<uint8_t> scanlines) {
  const std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)> inflater(
      libdeflate_alloc_decompressor(), libdeflate_free_decompressor);
  if (inflater == nullptr) return absl::ResourceExhaustedError("needs more memory than there is");
  size_t used = 0, written = 0;
  const libdeflate_result result =
      libdeflate_zlib_decompress_ex(inflater.get(), file.packed.data(), file.packed.size(),
                                    scanlines.data(), scanlines.size(), &used, &written);
  if (result == LIBDEFLATE_INSUFFICIENT_SPACE) return Damaged("has more pixels than its size says");
  if (result != LIBDEFLATE_SUCCESS) return Damaged("has truncated or damaged pixels");
  if (written != scanlines.size()) return Damaged("has fewer pixels than its size says");
  return absl::OkStatus();
}

}  // namespace langevin::data
