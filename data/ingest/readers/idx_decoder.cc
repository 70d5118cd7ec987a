// The IDX format of MNIST: two zero bytes, element type, number of dimensions, the dimensions as
// 32-bit big-endian numbers, then the elements (http://yann.lecun.com/exdb/mnist).
#include <array>
#include <bit>
#include <string>

#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "data/ingest/decoders.h"
#include "data/ingest/readers/array_images.h"

namespace langevin::data {
namespace {

absl::Status Unreadable(std::string_view problem) {
  return absl::DataLossError(absl::StrFormat("is no IDX file that can be read: it %s", problem));
}

absl::StatusOr<NumberFormat> FormatOf(uint8_t type) {
  using Kind = NumberFormat::Kind;
  const bool swapped = std::endian::native == std::endian::little;
  switch (type) {
    case 0x08:
      return NumberFormat{Kind::kUnsigned, 1, false};
    case 0x09:
      return NumberFormat{Kind::kSigned, 1, false};
    case 0x0b:
      return NumberFormat{Kind::kSigned, 2, swapped};
    case 0x0c:
      return NumberFormat{Kind::kSigned, 4, swapped};
    case 0x0d:
      return NumberFormat{Kind::kFloat, 4, swapped};
    case 0x0e:
      return NumberFormat{Kind::kFloat, 8, swapped};
    default:
      return Unreadable(absl::StrFormat("has elements of the unknown type 0x%02x", type));
  }
}

}  // namespace

absl::Status DecodeIdx(const std::string& path, const configs::ReadConfig& config,
                       const ImageSink& sink) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<ByteStream> stream, OpenPlainOrGzip(path));
  std::array<uint8_t, 4> magic;
  const auto read = [&stream](std::span<uint8_t> bytes) {
    return stream->Read(std::as_writable_bytes(bytes));
  };
  LANGEVIN_RETURN_IF_ERROR(read(magic));
  const int rank = magic[3];
  if (magic[0] != 0 || magic[1] != 0 || rank < 1 || rank > 4) {
    return Unreadable(absl::StrFormat(
        "begins with %02x%02x%02x%02x, not with 00000801 (labels) or 00000803 (images)", magic[0],
        magic[1], magic[2], magic[3]));
  }
  ArraySource array;
  LANGEVIN_ASSIGN_OR_RETURN(array.format, FormatOf(magic[2]));
  for (int i = 0; i < rank; ++i) {
    std::array<uint8_t, 4> bytes;
    LANGEVIN_RETURN_IF_ERROR(read(bytes));
    array.extents.push_back(int64_t{bytes[0]} << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3]);
  }
  if (rank == 1) array.extents.insert(array.extents.begin(), 1);  // Labels are an image of one row.
  if (rank == 3) array.extents.push_back(1);  // Images of a few columns, not one of many channels.
  return ReadArrayImages(*stream, static_cast<uint64_t>(4 + 4 * rank), array, config, sink);
}

}  // namespace langevin::data
