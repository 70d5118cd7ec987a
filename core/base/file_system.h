// The file system as the rest of Langevin sees it.
//
// Everything that writes goes through this interface, so that tests can run on one that loses
// unsynced data, runs out of space or tears a write, and so that each promise about durability is
// made in one place. Reading of untrusted files goes through it too: only regular files are opened,
// never links, pipes or devices.
#ifndef LANGEVIN_CORE_BASE_FILE_SYSTEM_H_
#define LANGEVIN_CORE_BASE_FILE_SYSTEM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace langevin {

// A file being written from its beginning. One thread at a time. Destroying it without Close()
// closes the descriptor and tells nobody of errors: what matters must be synced and closed.
class WritableFile {
 public:
  virtual ~WritableFile() = default;
  // Writes all of `bytes` behind what was written before. After an error the file is of no use.
  virtual absl::Status Append(std::span<const std::byte> bytes) = 0;
  // Returns when all that was appended is on stable storage. A failed Sync is never tried again:
  // the kernel may have dropped the pages, and a second fsync would report success.
  virtual absl::Status Sync() = 0;
  virtual absl::Status Close() = 0;

  absl::Status Append(std::string_view text) { return Append(std::as_bytes(std::span(text))); }
};

// A file open for reading. Any number of threads may read at the same time.
class RandomAccessFile {
 public:
  virtual ~RandomAccessFile() = default;
  // The size when the file was opened.
  virtual uint64_t size() const = 0;
  // Fills `out` from `offset` on. DataLoss if the file ends before that or the disk fails.
  virtual absl::Status ReadAt(uint64_t offset, std::span<std::byte> out) const = 0;
  // These bytes will be read soon: a disk may begin to fetch them. Does not wait.
  virtual void WillNeed(uint64_t /*offset*/, uint64_t /*size*/) const {}
};

enum class FileType { kRegular, kDirectory, kOther };  // Links are kOther: they are not followed.

struct FileInfo {
  FileType type = FileType::kOther;
  uint64_t size = 0;
  int64_t modified_ns = 0;  // Since 1970; when the contents were changed last, where it is known.
};

// Paths are those of the process. Errors name the path and the system's reason: NotFound,
// PermissionDenied (also for read-only file systems), AlreadyExists, ResourceExhausted (no space,
// quota, descriptors), DataLoss (input or output error), InvalidArgument (not a regular file).
// Thread-safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Creates `path` or empties it.
  virtual absl::StatusOr<std::unique_ptr<WritableFile>> NewWritableFile(
      const std::string& path) = 0;
  // Opens `path`, creating it if it is not there, to write behind its end.
  virtual absl::StatusOr<std::unique_ptr<WritableFile>> NewAppendableFile(
      const std::string& path) = 0;
  virtual absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenForReading(
      const std::string& path) = 0;
  virtual absl::StatusOr<FileInfo> GetInfo(const std::string& path) = 0;
  // Names, without the folder, in alphabetical order, without "." and "..".
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& folder) = 0;
  // Creates `folder`; it may exist already. Its parent must exist.
  virtual absl::Status CreateFolder(const std::string& folder) = 0;
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  virtual absl::Status RemoveFile(const std::string& path) = 0;
  virtual absl::Status RemoveEmptyFolder(const std::string& folder) = 0;
  virtual absl::Status Truncate(const std::string& path, uint64_t size) = 0;
  // Makes the names in `folder` durable: what was created, renamed or removed there.
  virtual absl::Status SyncFolder(const std::string& folder) = 0;
  virtual absl::StatusOr<uint64_t> FreeBytes(const std::string& path) = 0;
  // Makes `to`, which must not exist, a file with the contents of `from`: as a second name of it
  // where the file system has such, else as a copy. Neither may be changed in place afterwards.
  virtual absl::Status LinkOrCopy(const std::string& from, const std::string& to);

  // What follows is built from the calls above.

  bool Exists(const std::string& path);
  // The whole of a regular file; InvalidArgument if it is larger than `limit` bytes.
  absl::StatusOr<std::string> ReadFile(const std::string& path, uint64_t limit = uint64_t{1} << 30);
  // Creates `folder` and whatever is missing above it, each durably.
  absl::Status CreateFolders(const std::string& folder);
  // Removes a file, or a folder with all in it. Fine if it is not there.
  absl::Status RemoveTree(const std::string& path);
  // Replaces `path` by a file with these contents, given in pieces, so that at any moment, also
  // after a loss of power, either the old or the new file is there: temporary file, sync, rename,
  // sync of the folder.
  absl::Status WriteFileDurably(const std::string& path,
                                std::span<const std::span<const std::byte>> pieces);
  absl::Status WriteFileDurably(const std::string& path, std::string_view contents);
  // Creates `path` with these contents and leaves it to others to make it durable, as a
  // StagingFolder does for all that is in it.
  absl::Status WriteFile(const std::string& path, std::string_view contents);
  // Makes durable what is in a folder, or a file: contents and names, all the way down.
  absl::Status SyncTree(const std::string& path);
};

// The real one. Never destroyed.
FileSystem& PosixFileSystem();

// "a/b" + "c" is "a/b/c"; an empty folder gives the name alone.
std::string JoinPath(std::string_view folder, std::string_view name);
// "a/b/c" gives "a/b", "c" gives ".", "/c" gives "/". Trailing slashes do not count.
std::string ParentFolder(std::string_view path);
// "a/b/c" gives "c". Trailing slashes do not count.
std::string BaseName(std::string_view path);

}  // namespace langevin

#endif  // LANGEVIN_CORE_BASE_FILE_SYSTEM_H_
