// Writes a data set's shards and manifest into a folder, image by image.
#ifndef LANGEVIN_DATA_DATASET_WRITER_H_
#define LANGEVIN_DATA_DATASET_WRITER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/file_system.h"
#include "data/dataset.h"
#include "data/manifest.h"
#include "data/shard_writer.h"

namespace langevin::data {

// Memory: twice a shard for each split. One thread at a time.
class DatasetWriter {
 public:
  // `folder` exists and is the caller's alone: while images are added it holds shards under names
  // without their number of shards, so the caller renames the folder when all is done.
  DatasetWriter(FileSystem& file_system, std::string folder, const ShardSpec& spec,
                std::vector<std::string> class_names, int64_t shard_bytes);

  // Adds an image to the end of a split; see ShardWriter::Add.
  absl::Status Add(Split split, const ShardSample& sample);
  absl::Status Add(Split split, std::span<const std::byte> pixels, int64_t label) {
    return Add(split, {.pixels = pixels, .label = label});
  }

  // Writes what is left and the manifest, and syncs the folder. Requires that there is at least one
  // image. Nothing may be called after it.
  absl::StatusOr<Manifest> Finish(int64_t rejected, const std::string& inputs_digest);

 private:
  struct SplitState {
    explicit SplitState(const ShardSpec& spec) : writer(spec) {}
    ShardWriter writer;
    SplitEntry entry;
    ContentDigest digest;
  };

  absl::Status WriteShard(SplitState& state);
  absl::Status NumberShards(SplitState& state);

  FileSystem& file_system_;
  const std::string folder_;
  const ShardSpec spec_;
  const int64_t shard_bytes_;
  Manifest manifest_;
  std::array<SplitState, 2> splits_;
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_DATASET_WRITER_H_
