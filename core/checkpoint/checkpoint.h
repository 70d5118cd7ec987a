// Saving and loading the whole state of a run, so that nothing acknowledged is ever lost.
//
//     RUN/checkpoints/images-000000128000/   shard-00000.safetensors ...  MANIFEST
//
// Protocol: all ranks write their shards into a temporary folder beside it, each fsync'ed; rank 0
// writes MANIFEST (sizes and checksums of all of it, with a checksum of its own) last, syncs the
// folder, renames it and syncs the parent. Only then is the checkpoint acknowledged, and only then
// are older ones removed. Loading takes the newest that verifies completely. docs/checkpoints.md
// gives the format.
//
// Nothing here knows of LibTorch: the state is a list of named arrays of bytes.
#ifndef LANGEVIN_CORE_CHECKPOINT_CHECKPOINT_H_
#define LANGEVIN_CORE_CHECKPOINT_CHECKPOINT_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/file_system.h"
#include "core/base/group.h"
#include "core/base/tensor_view.h"

namespace langevin::checkpoint {

// What ranks need of each other to make a checkpoint. distributed's control channel implements it;
// one process alone uses SingleProcess().
using langevin::Group;
using langevin::SingleProcess;

// Names of facts that are for the run itself begin so; exports leave them out.
inline constexpr std::string_view kResumeFactPrefix = "resume.";

// What a checkpoint says of itself beside the tensors.
struct Metadata {
  int64_t images_seen = 0;
  std::string config;            // configs::ToText of the run.
  std::string data_fingerprint;  // Of the data set it was trained on.
  std::string software;          // Version, for people.
  int world_size = 1;            // A remark: any number of ranks may load it.
  // Further facts by name: intensity map, class count, ... Small.
  std::vector<std::pair<std::string, std::string>> facts;
};

// A checkpoint found on disk whose manifest and files are complete and undamaged.
struct Found {
  std::string folder;
  Metadata metadata;
  // Name, type and shape of every tensor (bytes are empty), in the order of their names.
  std::vector<TensorView> tensors;
};

// "images-000000128000".
std::string FolderName(int64_t images_seen);

// The rank that writes each tensor, from types and shapes alone. Largest first, each to the rank
// with the least so far, so that no rank has more than a tensor's size above the mean. Every rank
// computes the same.
std::vector<int> DivideTensors(const std::vector<TensorView>& tensors, int ranks);

// Saves a checkpoint; called by all ranks together with the same metadata and tensor list (names,
// types, shapes and order). Each rank writes those that DivideTensors gives it; the bytes of others
// are not looked at and may be left out. On success it is on stable storage under RUN/checkpoints
// on return, and all but the newest `keep` are removed (quarantined ones are never counted nor
// touched). If any rank fails, all ranks get that rank's error, the temporary folder is removed,
// and older checkpoints are as they were. Saving a checkpoint that exists with the same images_seen
// replaces nothing and succeeds.
absl::Status Save(FileSystem& file_system, Group& group, const std::string& run_folder,
                  const Metadata& metadata, const std::vector<TensorView>& tensors, int keep);

// The newest checkpoint of a run that verifies completely (every byte of every file is read),
// agreed between all ranks: rank 0 verifies, the others hear of it and check that they see the
// same. Those passed over are named in a warning with the reason and renamed to "images-....bad"
// (".bad-2" and so on if that is taken). nullopt: there are no checkpoints. DataLoss: there are,
// quarantined ones counted, and none is good. Other errors say that one could not be looked at
// (PermissionDenied, ResourceExhausted), that a newer program wrote it (Unimplemented), or that
// ranks see different disks (FailedPrecondition): then nothing is passed over.
absl::StatusOr<std::optional<Found>> FindNewest(FileSystem& file_system, Group& group,
                                                const std::string& run_folder);

// The same without changing anything on disk, for one process: what inspect, export and sample use.
// `path` is a run folder or one checkpoint's folder. NotFound: neither; DataLoss: none is good.
absl::StatusOr<Found> FindForReading(FileSystem& file_system, const std::string& path);

// Fills each of `tensors` (any subset, found by name) from the checkpoint. DataLoss if a name is
// missing or has another type or shape; checksums of what is read are checked again.
absl::Status LoadTensors(FileSystem& file_system, const Found& found,
                         const std::vector<MutableTensorView>& tensors);

// Names the training state (tensors by name, type, shape and bytes, and images_seen), whatever the
// sharding and the number of ranks that wrote it. Reads all of it.
absl::StatusOr<std::string> StateDigest(FileSystem& file_system, const Found& found);

// All checkpoints under a run folder, oldest first, without verifying more than the manifests: for
// `inspect`. Damaged and quarantined ones have an error in place of metadata.
struct Listed {
  std::string folder;
  absl::StatusOr<Metadata> metadata;
  uint64_t bytes = 0;
};
absl::StatusOr<std::vector<Listed>> List(FileSystem& file_system, const std::string& run_folder);

}  // namespace langevin::checkpoint

#endif  // LANGEVIN_CORE_CHECKPOINT_CHECKPOINT_H_
