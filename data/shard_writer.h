// Writes one shard: a plain HDF5 file with /images, /labels and /crc32c, that h5py opens.
//
// The images are collected in memory and HDF5 lays the file out there; then it goes to disk through
// the FileSystem, under a temporary name that is renamed when all of it is synced. A shard under
// its final name is therefore whole. Memory: twice the shard.
#ifndef LANGEVIN_DATA_SHARD_WRITER_H_
#define LANGEVIN_DATA_SHARD_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/base/file_system.h"
#include "core/base/tensor_view.h"
#include "data/dataset.h"
#include "data/manifest.h"

namespace langevin::data {

// What all shards of a data set have in common.
struct ShardSpec {
  ImageShape shape;
  DType dtype = DType::kUint8;  // kUint8, kUint16 or kFloat32.
  IntensityMap intensity_map;
  bool has_labels = false;

  int64_t image_bytes() const { return shape.values() * static_cast<int64_t>(SizeOf(dtype)); }
};

// One thread at a time.
class ShardWriter {
 public:
  explicit ShardWriter(const ShardSpec& spec) : spec_(spec) {}

  // Adds an image: (height, width, channels) interleaved, spec.image_bytes() bytes, little endian.
  // `label` is at least 0, and not used where the data set has none.
  void Add(std::span<const std::byte> pixels, int64_t label);

  int64_t count() const { return static_cast<int64_t>(crcs_.size()); }
  int64_t bytes() const { return static_cast<int64_t>(pixels_.size()); }
  // The checksum of the image added last. Requires count() >= 1.
  uint32_t last_crc() const { return crcs_.back(); }

  // Writes `path` and syncs it; the caller syncs the folder. Returns the shard's entry in the
  // manifest. The writer is empty then, ready for the next shard. Requires count() >= 1.
  absl::StatusOr<ShardEntry> Write(FileSystem& file_system, const std::string& path);

 private:
  const ShardSpec spec_;
  std::vector<std::byte> pixels_;
  std::vector<int64_t> labels_;
  std::vector<uint32_t> crcs_;
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_SHARD_WRITER_H_
