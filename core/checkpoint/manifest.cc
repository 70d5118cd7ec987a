#include "core/checkpoint/manifest.h"

#include <bit>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/crc32c.h"
#include "core/base/safetensors.h"
#include "core/base/status_macros.h"

namespace langevin::checkpoint {
namespace {

static_assert(std::endian::native == std::endian::little, "manifests are little endian");

constexpr std::string_view kMagic = "LGVNCKPT";
constexpr size_t kFrameBytes = kMagic.size() + sizeof(uint64_t) + sizeof(uint32_t);
constexpr int kMaxDimensions = 8;

template <typename Integer>
void AppendInteger(Integer value, std::string& out) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <typename Integer>
Integer IntegerAt(std::string_view bytes, size_t offset) {
  Integer value;
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

absl::Status Damaged(const std::string& problem) {
  return absl::DataLossError(absl::StrCat(kManifestName, " ", problem));
}

// Whether `name` can only mean a file in the folder itself, and not the manifest.
bool IsPlainFileName(const std::string& name) {
  return !name.empty() && name.size() <= 255 && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos && name != "." && name != ".." &&
         name != kManifestName;
}

absl::Status CheckFiles(const proto::CheckpointManifest& manifest) {
  std::set<std::string> names;
  for (const proto::CheckpointManifest::File& file : manifest.files()) {
    const std::string shown = absl::CHexEscape(file.name().substr(0, 80));
    if (!IsPlainFileName(file.name())) {
      return Damaged(absl::StrCat("lists \"", shown, "\", which is no plain file name"));
    }
    if (!names.insert(file.name()).second) {
      return Damaged(absl::StrCat("lists the file \"", shown, "\" twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTensors(const proto::CheckpointManifest& manifest) {
  const std::string* last_name = nullptr;
  for (const proto::CheckpointManifest::Tensor& tensor : manifest.tensors()) {
    const std::string shown = absl::CHexEscape(tensor.name().substr(0, 80));
    if (last_name != nullptr && *last_name >= tensor.name()) {
      return Damaged(absl::StrCat("lists the tensor \"", shown, "\" twice or out of order"));
    }
    last_name = &tensor.name();
    const absl::StatusOr<DType> dtype = DTypeFromName(tensor.dtype());
    if (!dtype.ok() || tensor.shape_size() > kMaxDimensions ||
        !ByteSizeOf(*dtype, ShapeOf(tensor)).has_value()) {
      return Damaged(absl::StrCat("gives the tensor \"", shown, "\" an impossible type or shape"));
    }
    if (!tensor.has_file() || tensor.file() >= static_cast<uint32_t>(manifest.files_size())) {
      return Damaged(absl::StrCat("does not say which file holds the tensor \"", shown, "\""));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string EncodeManifest(const proto::CheckpointManifest& manifest) {
  const std::string message = manifest.SerializeAsString();
  std::string bytes(kMagic);
  AppendInteger(uint64_t{message.size()}, bytes);
  bytes += message;
  AppendInteger(Crc32c(bytes.data(), bytes.size()), bytes);
  return bytes;
}

absl::StatusOr<proto::CheckpointManifest> DecodeManifest(std::string_view bytes) {
  if (bytes.size() < kFrameBytes || !bytes.starts_with(kMagic)) {
    return Damaged("is cut short or none of ours");
  }
  const std::string_view message =
      bytes.substr(kMagic.size() + sizeof(uint64_t), bytes.size() - kFrameBytes);
  if (IntegerAt<uint64_t>(bytes, kMagic.size()) != message.size()) {
    return Damaged(absl::StrCat("has ", bytes.size(), " bytes, other than it says"));
  }
  const size_t crc_offset = bytes.size() - sizeof(uint32_t);
  if (Crc32c(bytes.data(), crc_offset) != IntegerAt<uint32_t>(bytes, crc_offset)) {
    return Damaged("does not match its checksum");
  }
  proto::CheckpointManifest manifest;
  if (message.size() > kMaxManifestBytes ||
      !manifest.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return Damaged("cannot be parsed");
  }
  if (manifest.format_version() > kFormatVersion) {
    return absl::UnimplementedError(
        absl::StrCat(kManifestName, " has format version ", manifest.format_version(),
                     ", this program knows ", kFormatVersion, "; use the newer program (\"",
                     absl::CHexEscape(manifest.software().substr(0, 80)), "\")"));
  }
  if (manifest.format_version() < 1 || manifest.images_seen() < 0) {
    return Damaged("has no format version or a negative images_seen");
  }
  LANGEVIN_RETURN_IF_ERROR(CheckFiles(manifest));
  LANGEVIN_RETURN_IF_ERROR(CheckTensors(manifest));
  return manifest;
}

absl::StatusOr<std::string> ReadManifestBytes(FileSystem& file_system, const std::string& folder) {
  return file_system.ReadFile(JoinPath(folder, kManifestName), kMaxManifestBytes);
}

proto::CheckpointManifest ManifestFor(const Metadata& metadata) {
  proto::CheckpointManifest manifest;
  manifest.set_format_version(kFormatVersion);
  manifest.set_images_seen(metadata.images_seen);
  manifest.set_config(metadata.config);
  manifest.set_data_fingerprint(metadata.data_fingerprint);
  manifest.set_software(metadata.software);
  manifest.set_world_size(metadata.world_size);
  for (const auto& [name, value] : metadata.facts) {
    proto::CheckpointManifest::Fact* fact = manifest.add_facts();
    fact->set_name(name);
    fact->set_value(value);
  }
  return manifest;
}

Metadata MetadataOf(const proto::CheckpointManifest& manifest) {
  Metadata metadata;
  metadata.images_seen = manifest.images_seen();
  metadata.config = manifest.config();
  metadata.data_fingerprint = manifest.data_fingerprint();
  metadata.software = manifest.software();
  metadata.world_size = manifest.world_size();
  for (const proto::CheckpointManifest::Fact& fact : manifest.facts()) {
    metadata.facts.emplace_back(fact.name(), fact.value());
  }
  return metadata;
}

DType DTypeOf(const proto::CheckpointManifest::Tensor& tensor) {
  return DTypeFromName(tensor.dtype()).value();
}

std::vector<int64_t> ShapeOf(const proto::CheckpointManifest::Tensor& tensor) {
  return {tensor.shape().begin(), tensor.shape().end()};
}

Found FoundFrom(const std::string& folder, const proto::CheckpointManifest& manifest) {
  Found found;
  found.folder = folder;
  found.metadata = MetadataOf(manifest);
  for (const proto::CheckpointManifest::Tensor& tensor : manifest.tensors()) {
    found.tensors.push_back({tensor.name(), DTypeOf(tensor), ShapeOf(tensor), {}});
  }
  return found;
}

}  // namespace langevin::checkpoint
