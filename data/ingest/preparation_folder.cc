#include "data/ingest/preparation_folder.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"

namespace langevin::data {
namespace {

constexpr uint64_t kMaxJournalBytes = 4096;

}  // namespace

PreparationFolder::PreparationFolder(FileSystem& file_system, std::string target, std::string key)
    : file_system_(file_system),
      target_(std::move(target)),
      path_(target_ + ".preparing"),
      key_(std::move(key)) {}

absl::StatusOr<std::unique_ptr<PreparationFolder>> PreparationFolder::Open(
    FileSystem& file_system, Group& group, const std::string& target, const std::string& key) {
  auto folder = absl::WrapUnique(new PreparationFolder(file_system, target, key));
  const absl::Status taken = group.rank() == 0 ? folder->TakeUp() : absl::OkStatus();
  LANGEVIN_RETURN_IF_ERROR(GatherIfAllOk(group, taken, "").status());
  return folder;
}

absl::Status PreparationFolder::RemoveLeftover(FileSystem& file_system, const std::string& target) {
  const std::string path = target + ".preparing";
  if (!file_system.Exists(path)) return absl::OkStatus();
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<FileLock> lock,
                            FileLock::Take(JoinPath(path, "lock")));
  return file_system.RemoveTree(path);
}

absl::Status PreparationFolder::TakeUp() {
  LANGEVIN_RETURN_IF_ERROR(file_system_.CreateFolders(path_));
  LANGEVIN_ASSIGN_OR_RETURN(lock_, FileLock::Take(JoinPath(path_, "lock")));
  const std::string journal_path = JoinPath(path_, "journal");
  const std::string journal = absl::StrCat("langevin prepare ", key_, "\n");
  const absl::StatusOr<std::string> found = file_system_.ReadFile(journal_path, kMaxJournalBytes);
  goes_on_ = found.ok() && *found == journal;
  if (goes_on_) {
    LogInfo("going on with what an interrupted prepare left in %s", path_);
  } else {
    if (found.ok()) {
      LogInfo("removing what a prepare of other inputs or options left in %s", path_);
    }
    for (const char* name : {"spool", "data"}) {
      LANGEVIN_RETURN_IF_ERROR(file_system_.RemoveTree(JoinPath(path_, name)));
    }
    LANGEVIN_RETURN_IF_ERROR(file_system_.WriteFileDurably(journal_path, journal));
  }
  LANGEVIN_RETURN_IF_ERROR(file_system_.CreateFolder(JoinPath(path_, "spool")));
  LANGEVIN_RETURN_IF_ERROR(file_system_.CreateFolder(DataPath()));
  return file_system_.RemoveTree(JoinPath(path_, "stop"));
}

std::string PreparationFolder::SpoolPath(int64_t chunk) const {
  return JoinPath(path_, absl::StrFormat("spool/%08d", chunk));
}

std::string PreparationFolder::DataPath() const { return JoinPath(path_, "data"); }

bool PreparationFolder::StopRequested() const {
  return file_system_.Exists(JoinPath(path_, "stop"));
}

void PreparationFolder::RequestStop() {
  // Where this fails the others only stop later.
  file_system_.WriteFile(JoinPath(path_, "stop"), "").IgnoreError();
}

absl::Status PreparationFolder::Commit() {
  LANGEVIN_RETURN_IF_ERROR(file_system_.SyncTree(DataPath()));
  LANGEVIN_RETURN_IF_ERROR(file_system_.Rename(DataPath(), target_));
  LANGEVIN_RETURN_IF_ERROR(file_system_.SyncFolder(ParentFolder(target_)));
  return Discard();
}

absl::Status PreparationFolder::Discard() { return file_system_.RemoveTree(path_); }

}  // namespace langevin::data
