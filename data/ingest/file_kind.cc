#include "data/ingest/file_kind.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace langevin::data {
namespace {

using namespace std::string_view_literals;

struct Magic {
  std::string_view bytes;
  size_t offset;
  std::string_view name;
};

constexpr std::array kForeign = {
    Magic{"%PDF"sv, 0, "PDF"},
    Magic{"GIF8"sv, 0, "GIF"},
    Magic{"BM"sv, 0, "BMP"},
    Magic{"WEBP"sv, 8, "WebP"},
    Magic{"ftypavif"sv, 4, "AVIF"},
    Magic{"ftypheic"sv, 4, "HEIC"},
    Magic{"ftyp"sv, 4, "a film (MP4)"},
    Magic{"RIFF"sv, 0, "a film or sound (RIFF)"},
    Magic{"\0\0\0\x0cjP  "sv, 0, "JPEG 2000"},
    Magic{"\xff\x4f\xff\x51"sv, 0, "JPEG 2000"},
    Magic{"\0\0\0\x0cJXL "sv, 0, "JPEG XL"},
    Magic{"\xff\x0a"sv, 0, "JPEG XL"},
    Magic{"v/1\x01"sv, 0, "OpenEXR"},
    Magic{"#?RADIANCE"sv, 0, "Radiance HDR"},
    Magic{"8BPS"sv, 0, "Photoshop"},
    Magic{"NRRD000"sv, 0, "NRRD"},
    Magic{"ObjectType ="sv, 0, "MetaImage"},
    Magic{"MATLAB 5.0"sv, 0, "MATLAB"},
    Magic{"CDF\x01"sv, 0, "NetCDF"},
    Magic{"CDF\x02"sv, 0, "NetCDF"},
    Magic{"SIMPLE  ="sv, 0, "FITS"},
    Magic{"PAR1"sv, 0, "Parquet"},
    Magic{"PK\x03\x04"sv, 0, "ZIP"},
    Magic{"Rar!"sv, 0, "RAR"},
    Magic{"7z\xbc\xaf\x27\x1c"sv, 0, "7-Zip"},
    Magic{"ustar"sv, 257, "tar"},
    Magic{"BZh"sv, 0, "bzip2"},
    Magic{"\xfd"
          "7zXZ"sv,
          0, "xz"},
    Magic{"\x28\xb5\x2f\xfd"sv, 0, "Zstandard"},
    Magic{"\x1f\x8b"sv, 0, "gzip"},
    Magic{"\x80\x04\x95"sv, 0, "a Python pickle"},
    Magic{"SQLite format"sv, 0, "SQLite"},
    Magic{"\x7f"
          "ELF"sv,
          0, "a program"},
    Magic{"MZ"sv, 0, "a program"},
    Magic{"\xca\xfe\xba\xbe"sv, 0, "a program"},
    Magic{"version https://git-lfs"sv, 0, "a Git LFS pointer, without the file it stands for"},
    Magic{"<?xml"sv, 0, "XML"},
    Magic{"<svg"sv, 0, "SVG"},
    Magic{"<!DOCTYPE"sv, 0, "HTML"},
    Magic{"<html"sv, 0, "HTML"},
};

bool IsText(std::string_view head) {
  return !head.empty() && std::all_of(head.begin(), head.end(), [](char c) {
    const auto byte = static_cast<uint8_t>(c);
    return byte >= 0x20 ? byte != 0x7f : byte == '\n' || byte == '\r' || byte == '\t';
  });
}

// The first bytes of what `packed`, the beginning of a gzip file, holds.
std::string Inflate(std::string_view packed) {
  z_stream stream = {};
  std::string out(kHeadBytes, '\0');
  if (inflateInit2(&stream, MAX_WBITS + 16) != Z_OK) return "";
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  inflate(&stream, Z_SYNC_FLUSH);
  out.resize(out.size() - stream.avail_out);
  inflateEnd(&stream);
  return out;
}

// What the file is to people, or nothing where that is not known.
std::string_view SeemsToBe(std::string_view head) {
  for (const Magic& magic : kForeign) {
    if (head.size() >= magic.offset && head.substr(magic.offset).starts_with(magic.bytes)) {
      return magic.name;
    }
  }
  return IsText(head) ? "text" : "";
}

}  // namespace

std::string WhyUnreadable(const FileHead& head) {
  if (head.bytes.empty()) return "is empty";
  const std::string_view kind = SeemsToBe(head.bytes);
  return absl::StrCat(
      "is of no kind that can be read",
      kind.empty() ? "" : absl::StrCat(" (it seems to be ", std::string(kind), ")"));
}

absl::StatusOr<FileHead> ReadFileHead(FileSystem& file_system, const std::string& path) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<RandomAccessFile> file,
                            file_system.OpenForReading(path));
  std::string bytes(std::min<uint64_t>(file->size(), 4096), '\0');
  LANGEVIN_RETURN_IF_ERROR(file->ReadAt(0, std::as_writable_bytes(std::span(bytes))));
  FileHead head;
  head.bytes = bytes.substr(0, kHeadBytes);
  head.inflated = bytes.starts_with("\x1f\x8b") ? Inflate(bytes) : head.bytes;
  return head;
}

}  // namespace langevin::data
