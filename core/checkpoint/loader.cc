// Finding a checkpoint that can be trusted, and reading it.
#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/crc32c.h"
#include "core/base/digest.h"
#include "core/base/log.h"
#include "core/base/safetensors.h"
#include "core/base/status_macros.h"
#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/exchange.h"
#include "core/checkpoint/folders.h"
#include "core/checkpoint/manifest.h"
#include "core/checkpoint/verify.h"

namespace langevin::checkpoint {
namespace {

constexpr size_t kPieceBytes = size_t{4} << 20;

struct Choice {
  std::string folder;
  proto::CheckpointManifest manifest;
};

// Says why a checkpoint is passed over, and puts it aside if asked.
void PassOver(FileSystem& file_system, const std::string& checkpoints_folder,
              const std::string& name, const absl::Status& reason, bool quarantine) {
  std::string outcome = "passed over";
  if (quarantine) {
    const absl::StatusOr<std::string> bad = Quarantine(file_system, checkpoints_folder, name);
    outcome = bad.ok() ? absl::StrCat("passed over and renamed to ", *bad)
                       : absl::StrCat("passed over; it could not be renamed to .bad: ",
                                      std::string(bad.status().message()));
  }
  LogWarning("%s; this checkpoint is %s", std::string(reason.message()), outcome);
}

// The newest checkpoint that verifies; nullopt if there is none at all, DataLoss if none is good.
absl::StatusOr<std::optional<Choice>> NewestGood(FileSystem& file_system,
                                                 const std::string& checkpoints_folder,
                                                 bool quarantine) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<CheckpointName> checkpoints,
                            ListCheckpoints(file_system, checkpoints_folder));
  for (auto checkpoint = checkpoints.rbegin(); checkpoint != checkpoints.rend(); ++checkpoint) {
    if (checkpoint->quarantined) continue;
    const std::string folder = JoinPath(checkpoints_folder, checkpoint->name);
    absl::StatusOr<proto::CheckpointManifest> manifest = VerifyCheckpoint(file_system, folder);
    if (manifest.ok() && manifest->images_seen() != checkpoint->images_seen) {
      manifest = absl::DataLossError(
          absl::StrCat(folder, ": MANIFEST says images_seen ", manifest->images_seen()));
    }
    if (manifest.ok()) return Choice{folder, *std::move(manifest)};
    if (!absl::IsDataLoss(manifest.status())) return manifest.status();
    PassOver(file_system, checkpoints_folder, checkpoint->name, manifest.status(), quarantine);
  }
  if (checkpoints.empty()) return std::nullopt;
  return absl::DataLossError(absl::StrCat(
      checkpoints_folder, ": holds ", checkpoints.size(), " checkpoints (newest: ",
      checkpoints.back().name, ") and none is good; restore one from a copy, or move this folder ",
      "away to start from zero"));
}

// What rank 0 found must be what this rank sees there.
absl::Status CheckSeen(FileSystem& file_system, const std::string& folder,
                       const std::string& manifest_bytes) {
  const absl::StatusOr<std::string> seen = ReadManifestBytes(file_system, folder);
  if (seen.ok() && *seen == manifest_bytes) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(folder, ": is not what rank 0 sees (",
                   seen.ok() ? "another MANIFEST" : std::string(seen.status().message()),
                   "); the run folder must be on a file system that all ranks see"));
}

// The tensors of a checkpoint with the files they are in. Opens each file once.
class TensorSource {
 public:
  static absl::StatusOr<TensorSource> Open(FileSystem& file_system, const Found& found) {
    LANGEVIN_ASSIGN_OR_RETURN(proto::CheckpointManifest manifest,
                              ReadManifest(file_system, found.folder));
    if (manifest.images_seen() != found.metadata.images_seen) {
      return absl::DataLossError(absl::StrCat(
          found.folder, ": was replaced while it was read; do not write into it by hand"));
    }
    TensorSource source(file_system, found.folder);
    for (const proto::CheckpointManifest::Tensor& tensor : manifest.tensors()) {
      source.tensors_.emplace(tensor.name(), tensor);
    }
    for (const proto::CheckpointManifest::File& file : manifest.files()) {
      source.names_.push_back(file.name());
    }
    source.files_.resize(source.names_.size());
    return source;
  }

  const std::map<std::string, proto::CheckpointManifest::Tensor>& tensors() const {
    return tensors_;
  }

  // The file of a tensor of this manifest.
  absl::StatusOr<const SafetensorsFile*> FileOf(const proto::CheckpointManifest::Tensor& tensor) {
    std::optional<SafetensorsFile>& file = files_[tensor.file()];
    if (!file.has_value()) {
      LANGEVIN_ASSIGN_OR_RETURN(
          file, SafetensorsFile::Open(*file_system_, JoinPath(folder_, names_[tensor.file()])));
    }
    return &*file;
  }

  absl::Status CheckCrc(const proto::CheckpointManifest::Tensor& tensor, uint32_t crc) const {
    if (crc == tensor.crc32c()) return absl::OkStatus();
    return absl::DataLossError(absl::StrFormat(
        "%s: the tensor \"%s\" in %s has the checksum %08x, MANIFEST says %08x; use another "
        "checkpoint",
        folder_, absl::CHexEscape(tensor.name()), names_[tensor.file()], crc, tensor.crc32c()));
  }

 private:
  TensorSource(FileSystem& file_system, std::string folder)
      : file_system_(&file_system), folder_(std::move(folder)) {}

  FileSystem* file_system_;
  std::string folder_;
  std::map<std::string, proto::CheckpointManifest::Tensor> tensors_;
  std::vector<std::string> names_;
  std::vector<std::optional<SafetensorsFile>> files_;
};

absl::Status LoadTensor(TensorSource& source, const std::string& folder,
                        const MutableTensorView& out) {
  const auto found = source.tensors().find(out.name);
  if (found == source.tensors().end()) {
    return absl::DataLossError(absl::StrCat(folder, ": has no tensor \"", out.name,
                                            "\"; it is of another model or optimizer"));
  }
  LANGEVIN_ASSIGN_OR_RETURN(const SafetensorsFile* file, source.FileOf(found->second));
  LANGEVIN_RETURN_IF_ERROR(file->Read(out));
  return source.CheckCrc(found->second, Crc32c(out.bytes));
}

// Adds a tensor's bytes to `digest`, a piece at a time.
absl::Status DigestTensor(FileSystem& file_system, TensorSource& source,
                          const proto::CheckpointManifest::Tensor& tensor,
                          std::vector<std::byte>& buffer, Digest& digest) {
  LANGEVIN_ASSIGN_OR_RETURN(const SafetensorsFile* file, source.FileOf(tensor));
  const auto entry = file->entries().find(tensor.name());
  if (entry == file->entries().end() || entry->second.dtype != DTypeOf(tensor) ||
      entry->second.shape != ShapeOf(tensor)) {
    return absl::DataLossError(absl::StrCat(file->path(), ": does not have the tensor \"",
                                            tensor.name(), "\" as MANIFEST lists it"));
  }
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<RandomAccessFile> bytes,
                            file_system.OpenForReading(file->path()));
  uint32_t crc = 0;
  for (uint64_t begin = 0; begin < entry->second.size; begin += kPieceBytes) {
    const std::span<std::byte> piece(buffer.data(),
                                     std::min<uint64_t>(kPieceBytes, entry->second.size - begin));
    LANGEVIN_RETURN_IF_ERROR(bytes->ReadAt(entry->second.offset + begin, piece));
    crc = Crc32c(piece, crc);
    digest.Update(piece);
  }
  return source.CheckCrc(tensor, crc);
}

uint64_t BytesIn(FileSystem& file_system, const std::string& folder) {
  uint64_t bytes = 0;
  const absl::StatusOr<std::vector<std::string>> names = file_system.List(folder);
  if (!names.ok()) return 0;
  for (const std::string& name : *names) {
    const absl::StatusOr<FileInfo> info = file_system.GetInfo(JoinPath(folder, name));
    if (info.ok() && info->type == FileType::kRegular) bytes += info->size;
  }
  return bytes;
}

}  // namespace

absl::StatusOr<std::optional<Found>> FindNewest(FileSystem& file_system, Group& group,
                                                const std::string& run_folder) {
  const std::string checkpoints = CheckpointsFolder(run_folder);
  proto::RankReport report;
  absl::Status status;
  if (group.rank() == 0) {
    RemoveLeftovers(file_system, checkpoints);
    const absl::StatusOr<std::optional<Choice>> choice =
        NewestGood(file_system, checkpoints, /*quarantine=*/true);
    status = choice.status();
    if (choice.ok() && choice->has_value()) {
      report.set_folder_name(BaseName((*choice)->folder));
      report.set_manifest(EncodeManifest((*choice)->manifest));
    }
  }
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<proto::RankReport> reports,
                            Exchange(group, status, report));
  if (!reports[0].has_folder_name()) return std::nullopt;

  const std::string folder = JoinPath(checkpoints, reports[0].folder_name());
  LANGEVIN_ASSIGN_OR_RETURN(const proto::CheckpointManifest manifest,
                            DecodeManifest(reports[0].manifest()));
  if (group.size() > 1) {
    status = CheckSeen(file_system, folder, reports[0].manifest());
    LANGEVIN_RETURN_IF_ERROR(Exchange(group, status, {}).status());
  }
  return FoundFrom(folder, manifest);
}

absl::StatusOr<Found> FindForReading(FileSystem& file_system, const std::string& path) {
  const std::string folder = JoinPath(ParentFolder(path), BaseName(path));
  const std::string checkpoints = CheckpointsFolder(path);
  if (file_system.Exists(checkpoints)) {
    LANGEVIN_ASSIGN_OR_RETURN(const std::optional<Choice> choice,
                              NewestGood(file_system, checkpoints, /*quarantine=*/false));
    if (choice.has_value()) return FoundFrom(choice->folder, choice->manifest);
    return absl::NotFoundError(absl::StrCat(checkpoints, ": holds no checkpoint yet"));
  }
  if (file_system.Exists(JoinPath(folder, kManifestName)) ||
      (BaseName(folder).starts_with("images-") && file_system.Exists(folder))) {
    const absl::StatusOr<proto::CheckpointManifest> manifest =
        VerifyCheckpoint(file_system, folder);
    if (manifest.ok()) return FoundFrom(folder, *manifest);
    if (!absl::IsDataLoss(manifest.status())) return manifest.status();
    return absl::DataLossError(absl::StrCat(std::string(manifest.status().message()),
                                            "; this checkpoint is damaged, use another one"));
  }
  return absl::NotFoundError(absl::StrCat(
      path, ": is neither a run nor a checkpoint; name a folder that holds checkpoints/ or ",
      kManifestName));
}

absl::Status LoadTensors(FileSystem& file_system, const Found& found,
                         const std::vector<MutableTensorView>& tensors) {
  LANGEVIN_ASSIGN_OR_RETURN(TensorSource source, TensorSource::Open(file_system, found));
  for (const MutableTensorView& tensor : tensors) {
    LANGEVIN_RETURN_IF_ERROR(
        AboutCheckpoint(found.folder, LoadTensor(source, found.folder, tensor)));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> StateDigest(FileSystem& file_system, const Found& found) {
  LANGEVIN_ASSIGN_OR_RETURN(TensorSource source, TensorSource::Open(file_system, found));
  Digest digest;
  digest.UpdateInteger(static_cast<uint64_t>(found.metadata.images_seen));
  std::vector<std::byte> buffer(kPieceBytes);
  for (const auto& [name, tensor] : source.tensors()) {
    digest.UpdateString(name);
    digest.UpdateString(tensor.dtype());
    digest.UpdateInteger(static_cast<uint64_t>(tensor.shape_size()));
    for (const int64_t dimension : tensor.shape()) {
      digest.UpdateInteger(static_cast<uint64_t>(dimension));
    }
    LANGEVIN_RETURN_IF_ERROR(
        AboutCheckpoint(found.folder, DigestTensor(file_system, source, tensor, buffer, digest)));
  }
  return digest.Hex();
}

absl::StatusOr<std::vector<Listed>> List(FileSystem& file_system, const std::string& run_folder) {
  const std::string checkpoints_folder = CheckpointsFolder(run_folder);
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<CheckpointName> checkpoints,
                            ListCheckpoints(file_system, checkpoints_folder));
  std::vector<Listed> listed;
  for (const CheckpointName& checkpoint : checkpoints) {
    const std::string folder = JoinPath(checkpoints_folder, checkpoint.name);
    absl::StatusOr<Metadata> metadata = absl::DataLossError(
        absl::StrCat(folder, ": was found damaged and put aside; remove it when it is not needed"));
    if (!checkpoint.quarantined) {
      const absl::StatusOr<proto::CheckpointManifest> manifest = ReadManifest(file_system, folder);
      metadata = manifest.ok() ? absl::StatusOr<Metadata>(MetadataOf(*manifest))
                               : absl::StatusOr<Metadata>(manifest.status());
    }
    listed.push_back({folder, std::move(metadata), BytesIn(file_system, folder)});
  }
  return listed;
}

}  // namespace langevin::checkpoint
