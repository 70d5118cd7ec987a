// The file MANIFEST: what belongs to a checkpoint, with sizes and checksums.
//
//     8 bytes   "LGVNCKPT"
//     8 bytes   length of the message, little endian
//     n bytes   proto::CheckpointManifest
//     4 bytes   CRC32C of all bytes before, little endian
//
// and nothing behind. It is written last, so its presence says that the rest was written.
#ifndef LANGEVIN_CORE_CHECKPOINT_MANIFEST_H_
#define LANGEVIN_CORE_CHECKPOINT_MANIFEST_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "checkpoint_manifest.pb.h"
#include "core/base/file_system.h"
#include "core/base/tensor_view.h"
#include "core/checkpoint/checkpoint.h"

namespace langevin::checkpoint {

inline constexpr char kManifestName[] = "MANIFEST";
inline constexpr uint32_t kFormatVersion = 1;
inline constexpr uint64_t kMaxManifestBytes = uint64_t{64} << 20;

// The whole file.
std::string EncodeManifest(const proto::CheckpointManifest& manifest);

// Checks the frame and the message: file names plain and unique, tensors in the order of their
// names, their types known, their shapes possible, their files listed. DataLoss, saying what is
// wrong; Unimplemented if a newer version of the format wrote it. Messages do not name the file.
absl::StatusOr<proto::CheckpointManifest> DecodeManifest(std::string_view bytes);

// The bytes of FOLDER/MANIFEST. InvalidArgument if it is no regular file or too large.
absl::StatusOr<std::string> ReadManifestBytes(FileSystem& file_system, const std::string& folder);

// What goes into a manifest beside files and tensors, and what comes out again.
proto::CheckpointManifest ManifestFor(const Metadata& metadata);
Metadata MetadataOf(const proto::CheckpointManifest& manifest);

// Requires a tensor of a manifest that was decoded.
DType DTypeOf(const proto::CheckpointManifest::Tensor& tensor);
std::vector<int64_t> ShapeOf(const proto::CheckpointManifest::Tensor& tensor);

Found FoundFrom(const std::string& folder, const proto::CheckpointManifest& manifest);

}  // namespace langevin::checkpoint

#endif  // LANGEVIN_CORE_CHECKPOINT_MANIFEST_H_
