#include "core/monitor/append_file.h"

#include "core/base/status_macros.h"

namespace langevin::monitor {

absl::StatusOr<std::unique_ptr<AppendFile>> AppendFile::Open(FileSystem& file_system,
                                                             const std::string& path) {
  std::unique_ptr<AppendFile> result(new AppendFile(file_system, path));
  LANGEVIN_ASSIGN_OR_RETURN(result->file_, file_system.NewAppendableFile(path));
  LANGEVIN_ASSIGN_OR_RETURN(const FileInfo info, file_system.GetInfo(path));
  result->size_ = info.size;
  return result;
}

absl::Status AppendFile::Append(std::string_view record) {
  if (file_ == nullptr) {
    LANGEVIN_ASSIGN_OR_RETURN(std::unique_ptr<WritableFile> file,
                              file_system_.NewAppendableFile(path_));
    LANGEVIN_ASSIGN_OR_RETURN(const FileInfo info, file_system_.GetInfo(path_));
    if (info.size > size_) LANGEVIN_RETURN_IF_ERROR(file_system_.Truncate(path_, size_));
    if (info.size < size_) size_ = info.size;  // Somebody replaced the file: go on with theirs.
    file_ = std::move(file);
  }
  if (absl::Status status = file_->Append(record); !status.ok()) {
    file_.reset();
    return status;
  }
  size_ += record.size();
  return absl::OkStatus();
}

}  // namespace langevin::monitor
