#include "core/base/staging_folder.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"

namespace langevin {
namespace {

std::string HostName() {
  std::array<char, 256> name = {};
  if (gethostname(name.data(), name.size() - 1) != 0) return "host";
  return name.data();
}

// TARGET.tmp-HOST-PID is being filled, TARGET.old-HOST-PID made place for a new one.
std::string NameFor(const std::string& target, std::string_view kind) {
  return absl::StrCat(BaseName(target), ".", std::string(kind), "-", HostName(), "-");
}

// The number of the process that left `name`, if it begins with `prefix` and that process is gone.
bool IsLeftover(std::string_view name, std::string_view prefix) {
  int pid = 0;
  if (!name.starts_with(prefix)) return false;
  const std::string_view number = name.substr(prefix.size());
  if (!absl::SimpleAtoi(absl::string_view(number.data(), number.size()), &pid) || pid <= 0) {
    return false;
  }
  return pid == getpid() || (kill(pid, 0) != 0 && errno == ESRCH);
}

// Cleans up after processes of this machine that died. One that died between its two renames has
// left the target under the name that it had given it: it comes back.
absl::Status RemoveLeftovers(FileSystem& file_system, const std::string& target) {
  const std::string parent = ParentFolder(target);
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system.List(parent));
  for (const std::string& name : names) {
    const std::string path = JoinPath(parent, name);
    const bool was_target = IsLeftover(name, NameFor(target, "old"));
    if (was_target && !file_system.Exists(target)) {
      LogInfo("%s is back: an interrupted run had moved it aside", target);
      LANGEVIN_RETURN_IF_ERROR(file_system.Rename(path, target));
    } else if (was_target || IsLeftover(name, NameFor(target, "tmp"))) {
      LogInfo("removing %s, which an interrupted run left", path);
      LANGEVIN_RETURN_IF_ERROR(file_system.RemoveTree(path));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<StagingFolder>> StagingFolder::Create(FileSystem& file_system,
                                                                     const std::string& target) {
  const std::string parent = ParentFolder(target);
  LANGEVIN_RETURN_IF_ERROR(file_system.CreateFolders(parent));
  LANGEVIN_RETURN_IF_ERROR(RemoveLeftovers(file_system, target));
  const std::string path = JoinPath(parent, absl::StrCat(NameFor(target, "tmp"), getpid()));
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
  LANGEVIN_RETURN_IF_ERROR(file_system_.SyncTree(path_));
  LANGEVIN_RETURN_IF_ERROR(file_system_.Rename(path_, target_));
  committed_ = true;
  return file_system_.SyncFolder(ParentFolder(target_));
}

absl::Status StagingFolder::CommitReplacing() {
  if (!file_system_.Exists(target_)) return Commit();
  LANGEVIN_RETURN_IF_ERROR(file_system_.SyncTree(path_));
  const std::string replaced =
      JoinPath(ParentFolder(target_), absl::StrCat(NameFor(target_, "old"), getpid()));
  LANGEVIN_RETURN_IF_ERROR(file_system_.Rename(target_, replaced));
  if (const absl::Status renamed = file_system_.Rename(path_, target_); !renamed.ok()) {
    file_system_.Rename(replaced, target_).IgnoreError();
    return renamed;
  }
  committed_ = true;
  LANGEVIN_RETURN_IF_ERROR(file_system_.SyncFolder(ParentFolder(target_)));
  return file_system_.RemoveTree(replaced);
}

}  // namespace langevin
