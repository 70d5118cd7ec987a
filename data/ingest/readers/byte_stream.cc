#include "data/ingest/readers/byte_stream.h"

#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"

namespace langevin::data {
namespace {

constexpr uint64_t kMaxPictureFileBytes = uint64_t{1} << 29;

absl::Status Truncated() { return absl::DataLossError("is truncated"); }

class GzipStream : public ByteStream {
 public:
  explicit GzipStream(gzFile file) : file_(file, gzclose) { gzbuffer(file, 1 << 18); }

  absl::Status Read(std::span<std::byte> out) override {
    while (!out.empty()) {
      const unsigned wanted = static_cast<unsigned>(std::min<size_t>(out.size(), 1 << 30));
      const int count = gzread(file_.get(), out.data(), wanted);
      if (count < 0) return Problem();
      if (count == 0) return Truncated();
      out = out.subspan(static_cast<size_t>(count));
    }
    return absl::OkStatus();
  }

  // Reading past the end is where zlib compares gzip's own checksum.
  absl::Status ExpectEnd() override {
    std::byte extra;
    const int count = gzread(file_.get(), &extra, 1);
    if (count < 0) return Problem();
    if (count > 0) return absl::DataLossError("is longer than its header says");
    int error = Z_OK;
    gzerror(file_.get(), &error);
    return error == Z_OK || error == Z_STREAM_END ? absl::OkStatus() : Problem();
  }

  absl::Status Rewind() override {
    return gzrewind(file_.get()) == 0 ? absl::OkStatus() : Problem();
  }

 private:
  absl::Status Problem() {
    int error = Z_OK;
    const char* const message = gzerror(file_.get(), &error);
    if (error == Z_BUF_ERROR) return Truncated();
    if (error == Z_ERRNO) return absl::DataLossError(strerror(errno));
    return absl::DataLossError(absl::StrFormat("its compression is damaged (%s)", message));
  }

  std::unique_ptr<gzFile_s, int (*)(gzFile)> file_;
};

class PlainRange : public ByteStream {
 public:
  PlainRange(const RandomAccessFile& file, uint64_t offset, uint64_t size)
      : file_(file), begin_(offset), size_(size) {}

  absl::Status Read(std::span<std::byte> out) override {
    if (out.size() > size_ - at_) return Truncated();
    if (!file_.ReadAt(begin_ + at_, out).ok()) return Truncated();
    at_ += out.size();
    return absl::OkStatus();
  }
  absl::Status ExpectEnd() override {
    return at_ == size_ ? absl::OkStatus() : absl::DataLossError("is longer than its header says");
  }
  absl::Status Rewind() override {
    at_ = 0;
    return absl::OkStatus();
  }

 private:
  const RandomAccessFile& file_;
  const uint64_t begin_;
  const uint64_t size_;
  uint64_t at_ = 0;
};

class InflatingRange : public ByteStream {
 public:
  InflatingRange(const RandomAccessFile& file, uint64_t offset, uint64_t packed_size, uint64_t size,
                 uint32_t crc)
      : packed_(file, offset, packed_size), packed_size_(packed_size), size_(size), crc_(crc) {
    // Negative: without zlib's header.
    ready_ = inflateInit2(&stream_, -MAX_WBITS) == Z_OK;
    left_ = packed_size_;
  }
  ~InflatingRange() override {
    if (ready_) inflateEnd(&stream_);
  }
  InflatingRange(const InflatingRange&) = delete;
  InflatingRange& operator=(const InflatingRange&) = delete;

  absl::Status Read(std::span<std::byte> out) override {
    if (!ready_) return absl::ResourceExhaustedError("needs more memory than there is");
    if (out.size() > size_ - at_) return Truncated();
    at_ += out.size();
    const std::span<std::byte> all = out;
    while (!out.empty()) {
      if (stream_.avail_in == 0 && left_ > 0) {
        const size_t count = static_cast<size_t>(std::min<uint64_t>(left_, input_.size()));
        LANGEVIN_RETURN_IF_ERROR(packed_.Read(std::span(input_).first(count)));
        left_ -= count;
        stream_.next_in = reinterpret_cast<Bytef*>(input_.data());
        stream_.avail_in = static_cast<uInt>(count);
      }
      const uInt wanted = static_cast<uInt>(std::min<size_t>(out.size(), 1 << 30));
      stream_.next_out = reinterpret_cast<Bytef*>(out.data());
      stream_.avail_out = wanted;
      const int result = inflate(&stream_, Z_NO_FLUSH);
      const size_t written = wanted - stream_.avail_out;
      out = out.subspan(written);
      if (result == Z_STREAM_END && !out.empty()) return Truncated();
      if (result != Z_OK && result != Z_STREAM_END) {
        const bool starved = result == Z_BUF_ERROR && left_ == 0;
        return starved ? Truncated() : absl::DataLossError("its compression is damaged");
      }
    }
    for (std::span<const std::byte> rest = all; !rest.empty();) {
      const size_t count = std::min<size_t>(rest.size(), 1 << 30);
      seen_crc_ = static_cast<uint32_t>(
          crc32(seen_crc_, reinterpret_cast<const Bytef*>(rest.data()), static_cast<uInt>(count)));
      rest = rest.subspan(count);
    }
    return absl::OkStatus();
  }

  absl::Status ExpectEnd() override {
    if (at_ != size_) return absl::DataLossError("is longer than its header says");
    return seen_crc_ == crc_ ? absl::OkStatus()
                             : absl::DataLossError("its checksum does not fit its contents");
  }

  absl::Status Rewind() override {
    if (!ready_) return absl::ResourceExhaustedError("needs more memory than there is");
    inflateReset(&stream_);
    stream_.avail_in = 0;
    left_ = packed_size_;
    at_ = 0;
    seen_crc_ = 0;
    return packed_.Rewind();
  }

 private:
  PlainRange packed_;
  const uint64_t packed_size_;
  const uint64_t size_;
  const uint32_t crc_;
  uint32_t seen_crc_ = 0;
  uint64_t left_ = 0;  // Packed bytes not yet read.
  uint64_t at_ = 0;
  z_stream stream_ = {};
  bool ready_ = false;
  std::vector<std::byte> input_ = std::vector<std::byte>(1 << 18);
};

}  // namespace

absl::StatusOr<std::unique_ptr<ByteStream>> OpenPlainOrGzip(const std::string& path) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return absl::DataLossError(absl::StrFormat("cannot be opened (%s)", strerror(errno)));
  const gzFile file = gzdopen(fd, "rb");
  if (file == nullptr) {
    close(fd);
    return absl::ResourceExhaustedError("needs more memory than there is");
  }
  return std::make_unique<GzipStream>(file);
}

std::unique_ptr<ByteStream> RangeStream(const RandomAccessFile& file, uint64_t offset,
                                        uint64_t size) {
  return std::make_unique<PlainRange>(file, offset, size);
}

std::unique_ptr<ByteStream> InflatingStream(const RandomAccessFile& file, uint64_t offset,
                                            uint64_t packed_size, uint64_t size, uint32_t crc32) {
  return std::make_unique<InflatingRange>(file, offset, packed_size, size, crc32);
}

absl::StatusOr<std::string> ReadPictureFile(const std::string& path) {
  LANGEVIN_ASSIGN_OR_RETURN(std::string contents,
                            PosixFileSystem().ReadFile(path, kMaxPictureFileBytes));
  if (contents.empty()) return absl::DataLossError("is empty");
  return contents;
}

}  // namespace langevin::data
