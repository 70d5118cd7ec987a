#include "core/checkpoint/folders.h"

#include <unistd.h>

#include <algorithm>
#include <optional>
#include <tuple>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/clock.h"
#include "core/base/digest.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "core/checkpoint/checkpoint.h"

namespace langevin::checkpoint {
namespace {

constexpr std::string_view kPrefix = "images-";
constexpr std::string_view kBad = ".bad";

std::optional<CheckpointName> Parse(const std::string& name) {
  const size_t dot = name.find('.');
  const std::string plain = name.substr(0, dot);
  CheckpointName result;
  result.name = name;
  if (!plain.starts_with(kPrefix) ||
      !absl::SimpleAtoi(plain.substr(kPrefix.size()), &result.images_seen) ||
      plain != FolderName(result.images_seen)) {
    return std::nullopt;
  }
  const std::string suffix = dot == std::string::npos ? "" : name.substr(dot);
  result.quarantined = suffix == kBad || suffix.starts_with(absl::StrCat(std::string(kBad), "-"));
  if (!suffix.empty() && !result.quarantined) return std::nullopt;
  return result;
}

bool IsTemporary(const std::string& name) {
  return name.starts_with(absl::StrCat(".", std::string(kPrefix))) &&
         name.find(".tmp-") != std::string::npos;
}

}  // namespace

std::string FolderName(int64_t images_seen) {
  return absl::StrFormat("%s%012d", kPrefix, images_seen);
}

std::string CheckpointsFolder(const std::string& run_folder) {
  return JoinPath(run_folder, "checkpoints");
}

absl::StatusOr<std::vector<CheckpointName>> ListCheckpoints(FileSystem& file_system,
                                                            const std::string& checkpoints_folder) {
  const absl::StatusOr<std::vector<std::string>> names = file_system.List(checkpoints_folder);
  std::vector<CheckpointName> checkpoints;
  if (absl::IsNotFound(names.status())) return checkpoints;
  if (!names.ok()) return names.status();
  for (const std::string& name : *names) {
    if (const std::optional<CheckpointName> checkpoint = Parse(name)) {
      checkpoints.push_back(*checkpoint);
    }
  }
  std::sort(checkpoints.begin(), checkpoints.end(), [](const auto& a, const auto& b) {
    return std::tie(a.images_seen, a.name) < std::tie(b.images_seen, b.name);
  });
  return checkpoints;
}

std::string TemporaryName(int64_t images_seen) {
  // Process and time, so that a writer of a run that was believed dead shares no file with this
  // one.
  const std::string attempt =
      absl::StrFormat("%d %.17g %.17g", getpid(), UnixSeconds(), MonotonicSeconds());
  return absl::StrFormat(".%s.tmp-%016x", FolderName(images_seen), HashString(attempt, 0));
}

void RemoveLeftovers(FileSystem& file_system, const std::string& checkpoints_folder) {
  const absl::StatusOr<std::vector<std::string>> names = file_system.List(checkpoints_folder);
  if (!names.ok()) return;  // Not there yet; other errors come back with the next call.
  for (const std::string& name : *names) {
    if (!IsTemporary(name)) continue;
    const absl::Status removed = file_system.RemoveTree(JoinPath(checkpoints_folder, name));
    if (!removed.ok()) {
      LogWarning("%s: a half-written checkpoint could not be removed: %s; remove it by hand",
                 checkpoints_folder, std::string(removed.message()));
    }
  }
}

absl::StatusOr<std::string> Quarantine(FileSystem& file_system,
                                       const std::string& checkpoints_folder,
                                       const std::string& name) {
  std::string bad = absl::StrCat(name, std::string(kBad));
  for (int number = 2; file_system.Exists(JoinPath(checkpoints_folder, bad)); ++number) {
    bad = absl::StrCat(name, std::string(kBad), "-", number);
  }
  LANGEVIN_RETURN_IF_ERROR(
      file_system.Rename(JoinPath(checkpoints_folder, name), JoinPath(checkpoints_folder, bad)));
  return bad;
}

}  // namespace langevin::checkpoint
