// The IDX format of MNIST: two zero bytes, element type, number of dimensions, the dimensions as
// 32-bit big-endian numbers, then the elements (http://yann.lecun.com/exdb/mnist).
#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "data/ingest/decoders.h"

namespace langevin::data {
namespace {

constexpr uint8_t kUnsignedByte = 0x08;

absl::Status Unreadable(std::string_view problem) {
  return absl::DataLossError(absl::StrFormat("is no IDX file that can be read: %s", problem));
}

// Reads a plain or a gzip-compressed file from its beginning.
class IdxStream {
 public:
  absl::Status Open(const std::string& path) {
    const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return absl::DataLossError(absl::StrFormat("cannot open: %s", strerror(errno)));
    file_.reset(gzdopen(fd, "rb"));
    if (file_ == nullptr) {
      close(fd);
      return absl::ResourceExhaustedError("needs more memory than there is");
    }
    gzbuffer(file_.get(), 1 << 18);
    return absl::OkStatus();
  }

  // Fills `out`.
  absl::Status Read(std::span<std::byte> out) {
    while (!out.empty()) {
      const unsigned wanted = static_cast<unsigned>(std::min<size_t>(out.size(), 1 << 30));
      const int count = gzread(file_.get(), out.data(), wanted);
      if (count < 0) return Problem();
      if (count == 0) return Unreadable("it is truncated");
      out = out.subspan(static_cast<size_t>(count));
    }
    return absl::OkStatus();
  }

  // OK if nothing more comes; also where zlib compares gzip's own checksum.
  absl::Status ExpectEnd() {
    std::byte extra;
    const int count = gzread(file_.get(), &extra, 1);
    if (count < 0) return Problem();
    if (count > 0) return Unreadable("it is longer than its header says");
    int error = Z_OK;
    gzerror(file_.get(), &error);
    return error == Z_OK || error == Z_STREAM_END ? absl::OkStatus() : Problem();
  }

 private:
  absl::Status Problem() {
    int error = Z_OK;
    const char* const message = gzerror(file_.get(), &error);
    if (error == Z_BUF_ERROR) return Unreadable("it is truncated");
    if (error == Z_ERRNO) return Unreadable(strerror(errno));
    return Unreadable(absl::StrFormat("its compression is damaged (%s)", message));
  }

  std::unique_ptr<gzFile_s, int (*)(gzFile)> file_{nullptr, gzclose};
};

}  // namespace

absl::Status DecodeIdx(const std::string& path, const ImageSink& sink) {
  IdxStream stream;
  LANGEVIN_RETURN_IF_ERROR(stream.Open(path));
  std::array<uint8_t, 4> magic;
  LANGEVIN_RETURN_IF_ERROR(stream.Read(std::as_writable_bytes(std::span(magic))));
  const int rank = magic[3];
  if (magic[0] != 0 || magic[1] != 0 || (rank != 1 && rank != 3)) {
    return Unreadable(absl::StrFormat(
        "it begins with %02x%02x%02x%02x, not with 00000801 (labels) or 00000803 (images)",
        magic[0], magic[1], magic[2], magic[3]));
  }
  if (magic[2] != kUnsignedByte) {
    return Unreadable(absl::StrFormat(
        "its elements are of type 0x%02x; only unsigned bytes (0x08) are read", magic[2]));
  }
  std::array<int64_t, 3> extent = {1, 1, 1};  // A row of labels is one image.
  for (int i = 3 - rank; i < 3; ++i) {
    std::array<uint8_t, 4> bytes;
    LANGEVIN_RETURN_IF_ERROR(stream.Read(std::as_writable_bytes(std::span(bytes))));
    extent[static_cast<size_t>(i)] =
        int64_t{bytes[0]} << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3];
  }
  const auto [count, height, width] = extent;
  if (height == 0 || width == 0 || height > kMaxDecodedBytes / width) {
    return Unreadable(
        absl::StrFormat("its header names %d images of %d x %d pixels", count, height, width));
  }
  DecodedImage image;
  image.shape = {.height = height, .width = width, .channels = 1};
  image.images_in_file = count;
  image.pixels.resize(static_cast<size_t>(height * width));
  for (int64_t i = 0; i < count; ++i) {
    LANGEVIN_RETURN_IF_ERROR(stream.Read(image.pixels));
    LANGEVIN_RETURN_IF_ERROR(sink(image));
  }
  return stream.ExpectEnd();
}

}  // namespace langevin::data
