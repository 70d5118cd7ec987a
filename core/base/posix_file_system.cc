#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/file_system.h"
#include "core/base/status_macros.h"

namespace langevin {
namespace {

absl::Status ErrnoStatus(const std::string& path, std::string_view action, int error) {
  const std::string message =
      absl::StrCat(path, ": cannot ", std::string(action), ": ", std::strerror(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(message);
    case EEXIST:
    case ENOTEMPTY:
      return absl::AlreadyExistsError(message);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(message);
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
      return absl::ResourceExhaustedError(message);
    case EIO:
      return absl::DataLossError(message);
    case ELOOP:
      return absl::InvalidArgumentError(absl::StrCat(
          path, ": is a link; only regular files are read: copy what it points to here (cp -L)"));
    case ENOTDIR:
    case EISDIR:
    case ENAMETOOLONG:
    case EINVAL:
      return absl::InvalidArgumentError(message);
    default:
      return absl::UnknownError(message);
  }
}

// A file descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  int get() const { return fd_; }
  int Release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

class PosixWritableFile : public WritableFile {
 public:
  PosixWritableFile(std::string path, Descriptor fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  using WritableFile::Append;

  absl::Status Append(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = write(fd_.get(), bytes.data(), bytes.size());
      if (written < 0) {
        if (errno == EINTR) continue;
        return ErrnoStatus(path_, "write", errno);
      }
      bytes = bytes.subspan(static_cast<size_t>(written));
    }
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    if (fsync(fd_.get()) != 0) return ErrnoStatus(path_, "sync to disk", errno);
    return absl::OkStatus();
  }

  absl::Status Close() override {
    // On Linux the descriptor is gone even if close reports an error.
    if (close(fd_.Release()) != 0) return ErrnoStatus(path_, "close", errno);
    return absl::OkStatus();
  }

 private:
  const std::string path_;
  Descriptor fd_;
};

class PosixRandomAccessFile : public RandomAccessFile {
 public:
  PosixRandomAccessFile(std::string path, Descriptor fd, uint64_t size)
      : path_(std::move(path)), fd_(std::move(fd)), size_(size) {}

  uint64_t size() const override { return size_; }

  absl::Status ReadAt(uint64_t offset, std::span<std::byte> out) const override {
    while (!out.empty()) {
      const ssize_t count = pread(fd_.get(), out.data(), out.size(), static_cast<off_t>(offset));
      if (count < 0) {
        if (errno == EINTR) continue;
        return ErrnoStatus(path_, "read", errno);
      }
      if (count == 0) {
        return absl::DataLossError(absl::StrCat(path_, ": ends at byte ", offset, ", ", out.size(),
                                                " bytes before what should be there"));
      }
      offset += static_cast<uint64_t>(count);
      out = out.subspan(static_cast<size_t>(count));
    }
    return absl::OkStatus();
  }

  void WillNeed(uint64_t offset, uint64_t size) const override {
    posix_fadvise(fd_.get(), static_cast<off_t>(offset), static_cast<off_t>(size),
                  POSIX_FADV_WILLNEED);
  }

 private:
  const std::string path_;
  const Descriptor fd_;
  const uint64_t size_;
};

class PosixFileSystemImpl : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<WritableFile>> NewWritableFile(const std::string& path) override {
    return OpenForWriting(path, O_TRUNC);
  }

  absl::StatusOr<std::unique_ptr<WritableFile>> NewAppendableFile(
      const std::string& path) override {
    return OpenForWriting(path, O_APPEND);
  }

  absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenForReading(
      const std::string& path) override {
    // O_NONBLOCK: opening a pipe must not wait for a writer before it is refused below.
    Descriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (fd.get() < 0) return ErrnoStatus(path, "open", errno);
    struct stat info;
    if (fstat(fd.get(), &info) != 0) return ErrnoStatus(path, "examine", errno);
    if (!S_ISREG(info.st_mode)) {
      return absl::InvalidArgumentError(absl::StrCat(path, ": is not a regular file"));
    }
    return std::make_unique<PosixRandomAccessFile>(path, std::move(fd),
                                                   static_cast<uint64_t>(info.st_size));
  }

  absl::Status LinkOrCopy(const std::string& from, const std::string& to) override {
    if (link(from.c_str(), to.c_str()) == 0) return absl::OkStatus();
    if (errno == EEXIST || errno == ENOENT || errno == ENOSPC) {
      return ErrnoStatus(to, "create", errno);
    }
    return FileSystem::LinkOrCopy(from, to);  // Another disk, or one without links.
  }

  absl::StatusOr<FileInfo> GetInfo(const std::string& path) override {
    struct stat info;
    if (lstat(path.c_str(), &info) != 0) return ErrnoStatus(path, "examine", errno);
    FileInfo result;
    result.size = static_cast<uint64_t>(info.st_size);
    result.modified_ns = int64_t{info.st_mtim.tv_sec} * 1'000'000'000 + info.st_mtim.tv_nsec;
    if (S_ISREG(info.st_mode)) result.type = FileType::kRegular;
    if (S_ISDIR(info.st_mode)) result.type = FileType::kDirectory;
    return result;
  }

  absl::StatusOr<std::vector<std::string>> List(const std::string& folder) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir(folder.c_str()), closedir);
    if (directory == nullptr) return ErrnoStatus(folder, "list", errno);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = readdir(directory.get())) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return ErrnoStatus(folder, "list", errno);
    std::sort(names.begin(), names.end());
    return names;
  }

  absl::Status CreateFolder(const std::string& folder) override {
    if (mkdir(folder.c_str(), 0777) == 0) return absl::OkStatus();
    const int error = errno;
    struct stat info;
    if (error == EEXIST && stat(folder.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) {
      return absl::OkStatus();
    }
    return ErrnoStatus(folder, "create the folder", error);
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (rename(from.c_str(), to.c_str()) != 0) {
      return ErrnoStatus(from, absl::StrCat("rename to ", to), errno);
    }
    return absl::OkStatus();
  }

  absl::Status RemoveFile(const std::string& path) override {
    if (unlink(path.c_str()) != 0) return ErrnoStatus(path, "remove", errno);
    return absl::OkStatus();
  }

  absl::Status RemoveEmptyFolder(const std::string& folder) override {
    if (rmdir(folder.c_str()) != 0) return ErrnoStatus(folder, "remove", errno);
    return absl::OkStatus();
  }

  absl::Status Truncate(const std::string& path, uint64_t size) override {
    if (truncate(path.c_str(), static_cast<off_t>(size)) != 0) {
      return ErrnoStatus(path, "shorten", errno);
    }
    return absl::OkStatus();
  }

  absl::Status SyncFolder(const std::string& folder) override {
    const Descriptor fd(open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() < 0) return ErrnoStatus(folder, "open", errno);
    if (fsync(fd.get()) != 0) return ErrnoStatus(folder, "sync to disk", errno);
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> FreeBytes(const std::string& path) override {
    struct statvfs info;
    if (statvfs(path.c_str(), &info) != 0) return ErrnoStatus(path, "examine the disk", errno);
    return uint64_t{info.f_bavail} * info.f_frsize;
  }

 private:
  static absl::StatusOr<std::unique_ptr<WritableFile>> OpenForWriting(const std::string& path,
                                                                      int mode) {
    Descriptor fd(open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | mode, 0666));
    if (fd.get() < 0) return ErrnoStatus(path, "open for writing", errno);
    return std::make_unique<PosixWritableFile>(path, std::move(fd));
  }
};

}  // namespace

FileSystem& PosixFileSystem() {
  static auto& file_system = *new PosixFileSystemImpl;
  return file_system;
}

}  // namespace langevin
