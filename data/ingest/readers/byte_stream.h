// Bytes that are read from the first to the last, twice where need be: plain files, gzip's, and
// members of ZIP archives.
#ifndef LANGEVIN_DATA_INGEST_READERS_BYTE_STREAM_H_
#define LANGEVIN_DATA_INGEST_READERS_BYTE_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/file_system.h"

namespace langevin::data {

// One thread at a time. Errors are ends of a sentence about the file ("is truncated").
class ByteStream {
 public:
  virtual ~ByteStream() = default;
  // Fills `out`.
  virtual absl::Status Read(std::span<std::byte> out) = 0;
  // OK if nothing more comes; also where checksums at the end are compared.
  virtual absl::Status ExpectEnd() = 0;
  virtual absl::Status Rewind() = 0;
};

// A regular file, inflated where it is gzip's.
absl::StatusOr<std::unique_ptr<ByteStream>> OpenPlainOrGzip(const std::string& path);

// `size` bytes at `offset` of `file`, which must outlive the stream.
std::unique_ptr<ByteStream> RangeStream(const RandomAccessFile& file, uint64_t offset,
                                        uint64_t size);

// A raw deflate stream of `packed_size` bytes at `offset` that becomes `size` bytes with checksum
// `crc32`.
std::unique_ptr<ByteStream> InflatingStream(const RandomAccessFile& file, uint64_t offset,
                                            uint64_t packed_size, uint64_t size, uint32_t crc32);

// The whole of a regular file of at most 512 MiB, for decoders that work in memory.
absl::StatusOr<std::string> ReadPictureFile(const std::string& path);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_READERS_BYTE_STREAM_H_
