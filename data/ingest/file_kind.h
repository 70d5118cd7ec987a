// What kind of file begins with these bytes.
#ifndef LANGEVIN_DATA_INGEST_FILE_KIND_H_
#define LANGEVIN_DATA_INGEST_FILE_KIND_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "core/base/file_system.h"

namespace langevin::data {

// How many bytes of a file are enough to tell.
inline constexpr size_t kHeadBytes = 512;

struct FileHead {
  std::string bytes;     // Up to kHeadBytes, from the file's beginning.
  std::string inflated;  // The same of its contents where it is gzip's; else `bytes`.
};

// Opens a regular file and reads what it begins with. Inflating is zlib's, on at most 4 KiB.
absl::StatusOr<FileHead> ReadFileHead(FileSystem& file_system, const std::string& path);

// "is of no kind that can be read (it seems to be PDF)", for a file that no reader takes.
std::string WhyUnreadable(const FileHead& head);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_FILE_KIND_H_
