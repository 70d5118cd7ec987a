// One rank's part of a checkpoint: which tensors it writes, and the file they go into.
#ifndef LANGEVIN_CORE_CHECKPOINT_SHARD_H_
#define LANGEVIN_CORE_CHECKPOINT_SHARD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "checkpoint_manifest.pb.h"
#include "core/base/file_system.h"
#include "core/base/tensor_view.h"

namespace langevin::checkpoint {

// Writes the tensors that `rank` owns into FOLDER/shard-RANK.safetensors and returns when they are
// on stable storage. Checksums are taken of the bytes before they are handed to the file, so that
// what the way to the disk does to them is found out. `report` gets the file and its tensors; it
// stays without a file if the rank owns none.
absl::Status WriteShard(FileSystem& file_system, const std::string& folder, int64_t images_seen,
                        const std::vector<TensorView>& tensors, const std::vector<int>& owners,
                        int rank, proto::RankReport& report);

}  // namespace langevin::checkpoint

#endif  // LANGEVIN_CORE_CHECKPOINT_SHARD_H_
