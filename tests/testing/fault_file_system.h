// A file system in memory that fails, dies and loses power where a test says.
//
// It keeps apart what is written and what is on stable storage. The contents of a file become
// durable by WritableFile::Sync, the names in a folder by SyncFolder, and nothing else makes them
// so: stricter than any real file system, so that code that is right here is right there. Folders
// hang from "/", which is there from the beginning.
#ifndef LANGEVIN_TESTS_TESTING_FAULT_FILE_SYSTEM_H_
#define LANGEVIN_TESTS_TESTING_FAULT_FILE_SYSTEM_H_

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/base/file_system.h"

namespace langevin {

// Thread-safe, as every FileSystem.
class FaultFileSystem : public FileSystem {
 public:
  FaultFileSystem();
  ~FaultFileSystem() override;

  // Every call of the interface, on the file system or a file, is an operation; they are numbered
  // from 1. The log has one line for each: "SyncFolder /run".
  int64_t operations() const;
  std::vector<std::string> log() const;

  // Operation number `operation` fails with `code` and does nothing, except that an Append leaves
  // half of its bytes behind. Sync on a file whose Sync has failed reports success and does
  // nothing, as Linux may.
  void FailAt(int64_t operation, absl::StatusCode code);
  // From operation number `operation` on, whatever would need room fails with ResourceExhausted.
  void FillDiskAt(int64_t operation);
  // At operation number `operation` the process dies: it and all later ones fail with Unavailable
  // and do nothing, except that an Append leaves half of its bytes behind.
  void DieAt(int64_t operation);
  // This operation, a Sync or SyncFolder, reports success and does nothing.
  void IgnoreSyncAt(int64_t operation);
  // No Sync of a file, or no SyncFolder, does anything.
  void IgnoreFileSyncs() { ignore_file_syncs_ = true; }
  void IgnoreFolderSyncs() { ignore_folder_syncs_ = true; }

  // A new process starts on what the old one left: all faults above are over.
  void Restart();
  // The power fails, and a new process starts. Without a seed all that was not durable is gone.
  // With one, a random part of it stays: each change of a name is kept or not, each unsynced file
  // is old, new, cut short, or has zeros where data were under way.
  void CutPower(std::optional<uint64_t> seed);

  // Looks at and damages files behind the interface's back. The file must exist.
  std::string Contents(const std::string& path) const;
  void SetContents(const std::string& path, const std::string& contents);

  absl::StatusOr<std::unique_ptr<WritableFile>> NewWritableFile(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<WritableFile>> NewAppendableFile(const std::string& path) override;
  absl::StatusOr<std::unique_ptr<RandomAccessFile>> OpenForReading(
      const std::string& path) override;
  absl::StatusOr<FileInfo> GetInfo(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& folder) override;
  absl::Status CreateFolder(const std::string& folder) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status RemoveFile(const std::string& path) override;
  absl::Status RemoveEmptyFolder(const std::string& folder) override;
  absl::Status Truncate(const std::string& path, uint64_t size) override;
  absl::Status SyncFolder(const std::string& folder) override;
  absl::StatusOr<uint64_t> FreeBytes(const std::string& path) override;

 private:
  struct Node;
  class OpenWritable;
  class OpenReadable;
  using NodePointer = std::shared_ptr<Node>;

  enum class Effect { kNormal, kNeedsRoom };

  // What follows requires mutex_.
  absl::Status Step(const std::string& action, const std::string& path,
                    Effect effect = Effect::kNormal);
  bool SyncIsIgnored() const;
  NodePointer Find(const std::string& path) const;
  absl::StatusOr<NodePointer> FindParent(const std::string& path) const;
  absl::StatusOr<std::unique_ptr<WritableFile>> OpenForWriting(const std::string& action,
                                                               const std::string& path,
                                                               bool truncate);
  absl::Status Remove(const std::string& path, bool folder);

  mutable std::mutex mutex_;
  NodePointer root_;
  std::vector<std::string> log_;
  std::map<int64_t, absl::StatusCode> failures_;
  std::set<int64_t> ignored_syncs_;
  std::optional<int64_t> disk_full_at_;
  std::optional<int64_t> dies_at_;
  bool dead_ = false;
  bool ignore_file_syncs_ = false;
  bool ignore_folder_syncs_ = false;
};

}  // namespace langevin

#endif  // LANGEVIN_TESTS_TESTING_FAULT_FILE_SYSTEM_H_
