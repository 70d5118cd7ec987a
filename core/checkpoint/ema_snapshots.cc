#include "core/checkpoint/ema_snapshots.h"

#include <algorithm>
#include <map>
#include <optional>
#include <string_view>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "core/base/crc32c.h"
#include "core/base/safetensors.h"
#include "core/base/status_macros.h"

namespace langevin::checkpoint {
namespace {

constexpr std::string_view kPrefix = "images-";
constexpr std::string_view kSuffix = ".safetensors";

std::string FolderOf(const std::string& run_folder) {
  return JoinPath(run_folder, "ema_snapshots");
}

std::string NameOf(int64_t images_seen) {
  return absl::StrFormat("%s%012d%s", kPrefix, images_seen, kSuffix);
}

std::optional<int64_t> ImagesSeenOf(const std::string& name) {
  int64_t images_seen = 0;
  if (name.size() <= kPrefix.size() + kSuffix.size() ||
      !absl::SimpleAtoi(name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size()),
                        &images_seen) ||
      name != NameOf(images_seen)) {
    return std::nullopt;
  }
  return images_seen;
}

std::string ChecksumText(uint32_t crc) { return absl::StrFormat("%08x", crc); }

absl::Status Damaged(const std::string& path, std::string_view what) {
  return absl::DataLossError(absl::StrCat(path, ": ", std::string(what),
                                          "; remove it: the other snapshots may do without"));
}

}  // namespace

absl::Status WriteEmaSnapshot(FileSystem& file_system, const std::string& run_folder,
                              const EmaSnapshotFacts& facts,
                              const std::vector<TensorView>& tensors) {
  uint32_t crc = 0;
  for (const TensorView& tensor : tensors) crc = Crc32c(tensor.bytes, crc);
  const std::map<std::string, std::string> metadata = {
      {"format", "pt"},
      {"images_seen", absl::StrCat(facts.images_seen)},
      {"ema_stds", absl::StrJoin(facts.stds, " ",
                                 [](std::string* text, double std) {
                                   absl::StrAppendFormat(text, "%.17g", std);
                                 })},
      {"data_fingerprint", facts.data_fingerprint},
      {"software", facts.software},
      {"crc32c", ChecksumText(crc)}};
  LANGEVIN_RETURN_IF_ERROR(file_system.CreateFolders(FolderOf(run_folder)));
  return WriteSafetensors(file_system, JoinPath(FolderOf(run_folder), NameOf(facts.images_seen)),
                          tensors, metadata);
}

absl::StatusOr<std::vector<EmaSnapshot>> ListEmaSnapshots(FileSystem& file_system,
                                                          const std::string& run_folder) {
  const std::string folder = FolderOf(run_folder);
  std::vector<EmaSnapshot> snapshots;
  if (!file_system.Exists(folder)) return snapshots;
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system.List(folder));
  for (const std::string& name : names) {
    if (const std::optional<int64_t> images_seen = ImagesSeenOf(name)) {
      snapshots.push_back({*images_seen, JoinPath(folder, name)});
    }
  }
  std::sort(snapshots.begin(), snapshots.end(), [](const EmaSnapshot& a, const EmaSnapshot& b) {
    return a.images_seen < b.images_seen;
  });
  return snapshots;
}

absl::Status RemoveEmaSnapshotsAfter(FileSystem& file_system, const std::string& run_folder,
                                     int64_t images_seen) {
  const std::string folder = FolderOf(run_folder);
  if (!file_system.Exists(folder)) return absl::OkStatus();
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system.List(folder));
  for (const std::string& name : names) {
    const std::optional<int64_t> of_snapshot = ImagesSeenOf(name);
    const bool is_leftover = name.starts_with(kPrefix) && name.ends_with(".tmp");
    if (is_leftover || (of_snapshot.has_value() && *of_snapshot > images_seen)) {
      LANGEVIN_RETURN_IF_ERROR(file_system.RemoveFile(JoinPath(folder, name)));
    }
  }
  return file_system.SyncFolder(folder);
}

absl::StatusOr<EmaSnapshotFacts> ReadEmaSnapshotFacts(FileSystem& file_system,
                                                      const EmaSnapshot& snapshot) {
  const absl::StatusOr<SafetensorsFile> file = SafetensorsFile::Open(file_system, snapshot.path);
  if (!file.ok()) return file.status();
  const auto value = [&](const std::string& name) {
    const auto found = file->metadata().find(name);
    return found == file->metadata().end() ? std::string() : found->second;
  };
  EmaSnapshotFacts facts{.images_seen = 0,
                         .stds = {},
                         .data_fingerprint = value("data_fingerprint"),
                         .software = value("software")};
  if (!absl::SimpleAtoi(value("images_seen"), &facts.images_seen) ||
      facts.images_seen != snapshot.images_seen) {
    return Damaged(snapshot.path, "is no snapshot of the images_seen that its name says");
  }
  for (const absl::string_view text : absl::StrSplit(value("ema_stds"), ' ', absl::SkipEmpty())) {
    double std = 0;
    if (!absl::SimpleAtod(text, &std) || !(std > 0 && std < 0.2886)) {
      return Damaged(snapshot.path, "names an average that cannot be");
    }
    facts.stds.push_back(std);
  }
  if (facts.stds.empty()) return Damaged(snapshot.path, "names no averages");
  return facts;
}

absl::Status ReadEmaSnapshot(FileSystem& file_system, const EmaSnapshot& snapshot,
                             std::vector<MutableTensorView> tensors) {
  LANGEVIN_ASSIGN_OR_RETURN(const SafetensorsFile file,
                            SafetensorsFile::Open(file_system, snapshot.path));
  if (file.entries().size() != tensors.size()) {
    return Damaged(snapshot.path, absl::StrFormat("has %d tensors where the model has %d",
                                                  file.entries().size(), tensors.size()));
  }
  const auto offset = [&](const MutableTensorView& tensor) {
    const auto entry = file.entries().find(tensor.name);
    return entry == file.entries().end() ? 0 : entry->second.offset;  // Read says what is missing.
  };
  std::sort(tensors.begin(), tensors.end(),
            [&](const auto& a, const auto& b) { return offset(a) < offset(b); });
  uint32_t crc = 0;
  for (const MutableTensorView& tensor : tensors) {
    LANGEVIN_RETURN_IF_ERROR(file.Read(tensor));
    crc = Crc32c(tensor.bytes, crc);
  }
  const auto stated = file.metadata().find("crc32c");
  if (stated == file.metadata().end() || stated->second != ChecksumText(crc)) {
    return Damaged(snapshot.path, "its tensors do not have the checksum that it states");
  }
  return absl::OkStatus();
}

}  // namespace langevin::checkpoint
