// Writes one shard: a plain HDF5 file of contiguous arrays that h5py opens (docs/data_format.md).
//
// The images are collected in memory and HDF5 lays the file out there; then it goes to disk through
// the FileSystem, under a temporary name that is renamed when all of it is synced. A shard under
// its final name is therefore whole. Memory: twice the shard.
#ifndef LANGEVIN_DATA_SHARD_WRITER_H_
#define LANGEVIN_DATA_SHARD_WRITER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "core/base/file_system.h"
#include "core/base/tensor_view.h"
#include "data/dataset.h"
#include "data/image_codec.h"
#include "data/manifest.h"

namespace langevin::data {

// What all shards of a data set have in common.
struct ShardSpec {
  ImageShape shape;
  DType dtype = DType::kUint8;  // kUint8, kUint16 or kFloat32.
  IntensityMap intensity_map;
  PhysicalUnits physical;  // For who reads a shard by itself; the manifest's is what counts.
  bool has_labels = false;
  bool has_groups = false;
  int64_t condition_size = 0;  // Numbers a sample; 0: no conditions.
  bool compressed = false;     // /blob and /index instead of /images.

  int64_t image_bytes() const { return shape.values() * static_cast<int64_t>(SizeOf(dtype)); }
  int64_t pixel_bytes() const { return shape.channels * static_cast<int64_t>(SizeOf(dtype)); }
  int64_t mask_bytes() const { return shape.height * shape.width; }
};

// Everything that is stored of one image. The memory is the caller's.
struct ShardSample {
  std::span<const std::byte> pixels;  // (height, width, channels) interleaved, little endian.
  int64_t label = -1;                 // At least 0 where the data set has labels.
  std::span<const uint8_t> mask;      // (height, width) of 1 valid, 0 missing; empty: all ones.
  uint64_t group = 0;                 // Whom the image is of, as a salted hash.
  std::span<const float> condition;   // condition_size numbers.
  // Compressed layout: the bytes of a PNG or JPEG file that decode (DecodeImage) to exactly these
  // pixels, kept as they are. Decode foreign bytes in the sandbox. Empty: the writer compresses.
  ImageCodec codec = ImageCodec::kStored;
  std::span<const std::byte> encoded;
};

// Stands for mask, group and condition of a sample: a CRC32C over the mask where it is not all
// ones, the condition, and the group (64 bits, little endian), each where there is one; 0 if there
// is none. `has_group`: the data set has groups.
uint32_t ExtrasCrc(std::span<const uint8_t> mask, std::span<const float> condition, bool has_group,
                   uint64_t group);

// One thread at a time.
class ShardWriter {
 public:
  explicit ShardWriter(const ShardSpec& spec) : spec_(spec) {}

  // That so many images will come, where it is known: memory for them is taken once.
  void Expect(int64_t images);

  // Adds an image; its parts have the sizes that the spec says.
  void Add(const ShardSample& sample);

  int64_t count() const { return static_cast<int64_t>(crcs_.size()); }
  // Of the images, as they will be stored.
  int64_t bytes() const { return static_cast<int64_t>(pixels_.size()); }
  // The checksums of the image added last. Require count() >= 1.
  uint32_t last_crc() const { return crcs_.back(); }
  uint32_t last_extras_crc() const { return extras_crcs_.back(); }

  // Writes `path` and syncs it; the caller syncs the folder. Returns the shard's entry in the
  // manifest. The writer is empty then, ready for the next shard. Requires count() >= 1.
  absl::StatusOr<ShardEntry> Write(FileSystem& file_system, const std::string& path);

 private:
  // Offset and length in the blob, codec, checksum of the bytes there.
  using IndexRow = std::array<uint64_t, 4>;

  static IndexRow AppendBlob(std::vector<std::byte>& blob, ImageCodec codec,
                             std::span<const std::byte> bytes);
  void AddMask(std::span<const uint8_t> mask);
  void Clear();

  const ShardSpec spec_;
  std::vector<std::byte> pixels_;  // Or the blob.
  std::vector<IndexRow> index_;
  std::vector<std::byte> masks_;  // Empty until a mask is not all ones.
  std::vector<IndexRow> mask_index_;
  std::vector<int64_t> labels_;
  std::vector<uint64_t> groups_;
  std::vector<float> conditions_;
  std::vector<uint32_t> crcs_;
  std::vector<uint32_t> extras_crcs_;
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_SHARD_WRITER_H_
