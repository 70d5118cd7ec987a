#include "data/ingest/staging_folder.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"

namespace langevin::data {
namespace {

std::string HostName() {
  std::array<char, 256> name = {};
  if (gethostname(name.data(), name.size() - 1) != 0) return "host";
  return name.data();
}

// Removes folders that begin with `prefix` and end with the number of a process that is gone.
absl::Status RemoveLeftovers(FileSystem& file_system, const std::string& parent,
                             const std::string& prefix) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system.List(parent));
  for (const std::string& name : names) {
    int pid = 0;
    if (!absl::StartsWith(name, prefix) ||
        !absl::SimpleAtoi(absl::string_view(name).substr(prefix.size()), &pid) || pid <= 0) {
      continue;
    }
    if (pid != getpid() && (kill(pid, 0) == 0 || errno != ESRCH)) continue;
    const std::string path = JoinPath(parent, name);
    LogInfo("removing %s, which an interrupted run left", path);
    LANGEVIN_RETURN_IF_ERROR(file_system.RemoveTree(path));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<StagingFolder>> StagingFolder::Create(FileSystem& file_system,
                                                                     const std::string& target) {
  const std::string parent = ParentFolder(target);
  LANGEVIN_RETURN_IF_ERROR(file_system.CreateFolders(parent));
  const std::string prefix = absl::StrCat(BaseName(target), ".tmp-", HostName(), "-");
  LANGEVIN_RETURN_IF_ERROR(RemoveLeftovers(file_system, parent, prefix));
  const std::string path = JoinPath(parent, absl::StrCat(prefix, getpid()));
  LANGEVIN_RETURN_IF_ERROR(file_system.CreateFolder(path));
  return absl::WrapUnique(new StagingFolder(file_system, target, path));
}

StagingFolder::~StagingFolder() {
  if (committed_) return;
  if (const absl::Status status = file_system_.RemoveTree(path_); !status.ok()) {
    LogWarning("%s; remove it by hand", std::string(status.message()));
  }
}

absl::Status StagingFolder::Commit() {
  LANGEVIN_RETURN_IF_ERROR(file_system_.SyncFolder(path_));
  LANGEVIN_RETURN_IF_ERROR(file_system_.Rename(path_, target_));
  committed_ = true;
  return file_system_.SyncFolder(ParentFolder(target_));
}

}  // namespace langevin::data
