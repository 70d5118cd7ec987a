// The real file system, except that writing can be made to fail in the middle of a write.
#ifndef LANGEVIN_TESTS_CORE_MONITOR_FAULT_FILE_SYSTEM_H_
#define LANGEVIN_TESTS_CORE_MONITOR_FAULT_FILE_SYSTEM_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/base/file_system.h"

namespace langevin::monitor {

// One thread. While is_full is set, Append writes half of its bytes and then finds no space.
class FaultFileSystem : public FileSystem {
 public:
  bool is_full = false;
  int failed_writes = 0;

  absl::StatusOr<std::unique_ptr<WritableFile>> NewWritableFile(const std::string& path) override {
    return Wrap(files_.NewWritableFile(path));
  }
  absl::StatusOr<std::unique_ptr<WritableFile>> NewAppendableFile(
      const std::string& path) override {
    return Wrap(files_.NewAppendableFile(path));
  }
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenForReading(
      const std::string& path) override {
    return files_.OpenForReading(path);
  }
  absl::StatusOr<FileInfo> GetInfo(const std::string& path) override {
    return files_.GetInfo(path);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& folder) override {
    return files_.List(folder);
  }
  absl::Status CreateFolder(const std::string& folder) override {
    return files_.CreateFolder(folder);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return files_.Rename(from, to);
  }
  absl::Status RemoveFile(const std::string& path) override { return files_.RemoveFile(path); }
  absl::Status RemoveEmptyFolder(const std::string& folder) override {
    return files_.RemoveEmptyFolder(folder);
  }
  absl::Status Truncate(const std::string& path, uint64_t size) override {
    return files_.Truncate(path, size);
  }
  absl::Status SyncFolder(const std::string& folder) override { return files_.SyncFolder(folder); }
  absl::StatusOr<uint64_t> FreeBytes(const std::string& path) override {
    return files_.FreeBytes(path);
  }

 private:
  class File : public WritableFile {
   public:
    File(FaultFileSystem& owner, std::unique_ptr<WritableFile> file)
        : owner_(owner), file_(std::move(file)) {}
    absl::Status Append(std::span<const std::byte> bytes) override {
      if (!owner_.is_full) return file_->Append(bytes);
      ++owner_.failed_writes;
      file_->Append(bytes.first(bytes.size() / 2)).IgnoreError();
      return absl::ResourceExhaustedError("the disk: No space left on device");
    }
    absl::Status Sync() override { return file_->Sync(); }
    absl::Status Close() override { return file_->Close(); }

   private:
    FaultFileSystem& owner_;
    const std::unique_ptr<WritableFile> file_;
  };

  absl::StatusOr<std::unique_ptr<WritableFile>> Wrap(
      absl::StatusOr<std::unique_ptr<WritableFile>> file) {
    if (!file.ok()) return file.status();
    return std::make_unique<File>(*this, *std::move(file));
  }

  FileSystem& files_ = PosixFileSystem();
};

}  // namespace langevin::monitor

#endif  // LANGEVIN_TESTS_CORE_MONITOR_FAULT_FILE_SYSTEM_H_
