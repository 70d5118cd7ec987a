// The directory of a ZIP archive, as far as NumPy's NPZ files need it: stored and deflated members,
// ZIP64. (APPNOTE.TXT of PKWARE, sections 4.3 and 4.5.3.)
#ifndef LANGEVIN_DATA_INGEST_READERS_ZIP_DIRECTORY_H_
#define LANGEVIN_DATA_INGEST_READERS_ZIP_DIRECTORY_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/file_system.h"
#include "data/ingest/readers/byte_stream.h"

namespace langevin::data {

struct ZipMember {
  std::string name;
  int method = 0;  // 0 stored, 8 deflated; others cannot be opened.
  bool encrypted = false;
  uint32_t crc32 = 0;
  uint64_t packed_bytes = 0;
  uint64_t bytes = 0;
  uint64_t header_offset = 0;
};

// Members in the order of the directory. Every size and offset has been checked against the file.
absl::StatusOr<std::vector<ZipMember>> ReadZipDirectory(const RandomAccessFile& file);

// The contents of a member; `file` must outlive the stream.
absl::StatusOr<std::unique_ptr<ByteStream>> OpenZipMember(const RandomAccessFile& file,
                                                          const ZipMember& member);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_READERS_ZIP_DIRECTORY_H_
