// A file that grows by whole records, also on a disk that fills up for a while.
//
// Readers of the monitor's files expect records one behind the other: half a record would make all
// that follows unreadable. So after a failed write the half that may be there is cut off before the
// next record is written.
#ifndef LANGEVIN_CORE_MONITOR_APPEND_FILE_H_
#define LANGEVIN_CORE_MONITOR_APPEND_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/file_system.h"

namespace langevin::monitor {

// One thread. `file_system` must outlive it.
class AppendFile {
 public:
  // Opens `path`, or creates it. What it holds stays.
  static absl::StatusOr<std::unique_ptr<AppendFile>> Open(FileSystem& file_system,
                                                          const std::string& path);

  // Writes `record` with one call, so that whoever follows the file sees it at once and whole.
  // After an error the record is not in the file; the next call tries afresh.
  absl::Status Append(std::string_view record);

  const std::string& path() const { return path_; }

 private:
  AppendFile(FileSystem& file_system, const std::string& path)
      : file_system_(file_system), path_(path) {}

  FileSystem& file_system_;
  const std::string path_;
  std::unique_ptr<WritableFile> file_;  // Null after an error.
  uint64_t size_ = 0;                   // Of the whole records.
};

}  // namespace langevin::monitor

#endif  // LANGEVIN_CORE_MONITOR_APPEND_FILE_H_
