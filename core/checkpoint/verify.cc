#include "core/checkpoint/verify.h"

#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/crc32c.h"
#include "core/base/safetensors.h"
#include "core/base/status_macros.h"
#include "core/checkpoint/manifest.h"

namespace langevin::checkpoint {
namespace {

constexpr size_t kPieceBytes = size_t{4} << 20;

absl::Status CheckFolder(FileSystem& file_system, const std::string& folder) {
  LANGEVIN_ASSIGN_OR_RETURN(const FileInfo info, file_system.GetInfo(folder));
  if (info.type == FileType::kDirectory) return absl::OkStatus();
  return absl::DataLossError("is a link or a file; checkpoints are folders");
}

absl::StatusOr<proto::CheckpointManifest> ReadManifestOf(FileSystem& file_system,
                                                         const std::string& folder) {
  LANGEVIN_RETURN_IF_ERROR(CheckFolder(file_system, folder));
  LANGEVIN_ASSIGN_OR_RETURN(const std::string bytes, ReadManifestBytes(file_system, folder));
  return DecodeManifest(bytes);
}

absl::Status CheckBytes(FileSystem& file_system, const std::string& path,
                        const proto::CheckpointManifest::File& expected,
                        std::vector<std::byte>& buffer) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<RandomAccessFile> file,
                            file_system.OpenForReading(path));
  if (file->size() != expected.size()) {
    return absl::DataLossError(absl::StrCat(expected.name(), " has ", file->size(),
                                            " bytes, MANIFEST says ", expected.size()));
  }
  uint32_t crc = 0;
  buffer.resize(std::min<uint64_t>(kPieceBytes, expected.size()));
  for (uint64_t begin = 0; begin < expected.size(); begin += kPieceBytes) {
    const std::span<std::byte> piece(buffer.data(),
                                     std::min<uint64_t>(kPieceBytes, expected.size() - begin));
    LANGEVIN_RETURN_IF_ERROR(file->ReadAt(begin, piece));
    crc = Crc32c(piece, crc);
  }
  if (crc != expected.crc32c()) {
    return absl::DataLossError(absl::StrFormat("%s has the checksum %08x, MANIFEST says %08x",
                                               expected.name(), crc, expected.crc32c()));
  }
  return absl::OkStatus();
}

// `tensors` are those that MANIFEST places in the file.
absl::Status CheckTensors(FileSystem& file_system, const std::string& path,
                          const std::vector<const proto::CheckpointManifest::Tensor*>& tensors) {
  LANGEVIN_ASSIGN_OR_RETURN(const SafetensorsFile file, SafetensorsFile::Open(file_system, path));
  if (file.entries().size() != tensors.size()) {
    return absl::DataLossError(absl::StrCat(BaseName(path), " has ", file.entries().size(),
                                            " tensors, MANIFEST lists ", tensors.size()));
  }
  for (const proto::CheckpointManifest::Tensor* tensor : tensors) {
    const auto entry = file.entries().find(tensor->name());
    if (entry == file.entries().end() || entry->second.dtype != DTypeOf(*tensor) ||
        entry->second.shape != ShapeOf(*tensor)) {
      return absl::DataLossError(absl::StrCat(BaseName(path), " does not have the tensor \"",
                                              tensor->name(), "\" as MANIFEST lists it"));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<proto::CheckpointManifest> Verify(FileSystem& file_system,
                                                 const std::string& folder) {
  LANGEVIN_ASSIGN_OR_RETURN(proto::CheckpointManifest manifest,
                            ReadManifestOf(file_system, folder));
  std::vector<std::vector<const proto::CheckpointManifest::Tensor*>> tensors(manifest.files_size());
  for (const proto::CheckpointManifest::Tensor& tensor : manifest.tensors()) {
    tensors[tensor.file()].push_back(&tensor);
  }
  std::vector<std::byte> buffer;
  for (int i = 0; i < manifest.files_size(); ++i) {
    const std::string path = JoinPath(folder, manifest.files(i).name());
    LANGEVIN_RETURN_IF_ERROR(CheckBytes(file_system, path, manifest.files(i), buffer));
    LANGEVIN_RETURN_IF_ERROR(CheckTensors(file_system, path, tensors[i]));
  }
  return manifest;
}

}  // namespace

absl::StatusOr<proto::CheckpointManifest> ReadManifest(FileSystem& file_system,
                                                       const std::string& folder) {
  absl::StatusOr<proto::CheckpointManifest> manifest = ReadManifestOf(file_system, folder);
  if (!manifest.ok()) return AboutCheckpoint(folder, manifest.status());
  return manifest;
}

absl::StatusOr<proto::CheckpointManifest> VerifyCheckpoint(FileSystem& file_system,
                                                           const std::string& folder) {
  absl::StatusOr<proto::CheckpointManifest> manifest = Verify(file_system, folder);
  if (!manifest.ok()) return AboutCheckpoint(folder, manifest.status());
  return manifest;
}

absl::Status AboutCheckpoint(const std::string& folder, const absl::Status& status) {
  if (status.ok()) return status;
  std::string message(status.message());
  // Errors of the file system begin with a path inside the folder.
  for (const char* separator : {"/", ": "}) {
    const std::string prefix = folder + separator;
    if (message.starts_with(prefix)) message.erase(0, prefix.size());
  }
  const bool damage = absl::IsNotFound(status) || absl::IsInvalidArgument(status);
  return absl::Status(damage ? absl::StatusCode::kDataLoss : status.code(),
                      absl::StrCat(folder, ": ", message));
}

}  // namespace langevin::checkpoint
