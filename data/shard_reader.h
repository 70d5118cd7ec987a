// One shard, open for reading: where its arrays are, and its columns in memory.
//
// HDF5 is asked once where things are (shard_header.h) and closed again. What it says is checked
// against the size of the file before anything is read.
#ifndef LANGEVIN_DATA_SHARD_READER_H_
#define LANGEVIN_DATA_SHARD_READER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/file_system.h"
#include "data/shard_writer.h"

namespace langevin::data {

// Immutable; any number of threads may read at the same time.
class ShardReader {
 public:
  // Errors are DataLoss and name `path`.
  static absl::StatusOr<std::unique_ptr<ShardReader>> Open(FileSystem& file_system,
                                                           const std::string& path);

  const ShardSpec& spec() const { return spec_; }
  int64_t count() const { return static_cast<int64_t>(crcs_.size()); }
  bool has_masks() const { return has_masks_; }                    // Some mask is not all ones.
  const std::vector<int64_t>& labels() const { return labels_; }   // Empty without labels.
  const std::vector<uint64_t>& groups() const { return groups_; }  // Empty without groups.
  const std::vector<uint32_t>& crcs() const { return crcs_; }
  // ExtrasCrc of image `index`.
  uint32_t extras_crc(int64_t index) const {
    return extras_crcs_.empty() ? 0 : extras_crcs_[static_cast<size_t>(index)];
  }
  // As the manifest names it.
  std::string digest() const;

  // Reads images [index, index + count), inside [0, count()), into count * spec().image_bytes()
  // bytes, with one read where they lie side by side; compares the checksums if `verify`.
  absl::Status ReadImages(int64_t index, int64_t count, bool verify,
                          std::span<std::byte> pixels) const;
  absl::Status ReadImage(int64_t index, bool verify, std::span<std::byte> pixels) const {
    return ReadImages(index, 1, verify, pixels);
  }

  // Image `index` will be read soon.
  void WillNeed(int64_t index) const;

  // Reads the mask into spec().mask_bytes() bytes, ones where the shard has none, and the condition
  // into spec().condition_size numbers; compares their checksum if `verify`.
  absl::Status ReadExtras(int64_t index, bool verify, std::span<uint8_t> mask,
                          std::span<float> condition) const;

 private:
  // Offset and length in the blob, codec, checksum of the bytes there.
  using IndexRow = std::array<uint64_t, 4>;
  struct Arrays;

  ShardReader(std::string path, std::unique_ptr<RandomAccessFile> file)
      : path_(std::move(path)), file_(std::move(file)) {}

  absl::Status ReadColumns(const Arrays& arrays);
  absl::Status CheckIndex(const std::vector<IndexRow>& index, uint64_t blob_bytes,
                          std::string_view name, bool may_be_empty) const;
  absl::Status ReadCompressed(int64_t index, int64_t count, std::span<std::byte> pixels) const;
  absl::Status Decode(const IndexRow& row, std::span<const std::byte> bytes,
                      const ImageShape& shape, DType dtype, int64_t index,
                      std::span<std::byte> out) const;

  const std::string path_;
  const std::unique_ptr<RandomAccessFile> file_;
  ShardSpec spec_;
  bool has_masks_ = false;
  uint64_t images_offset_ = 0;  // Or the blob's.
  uint64_t masks_offset_ = 0;   // Or their blob's.
  uint64_t conditions_offset_ = 0;
  std::vector<IndexRow> index_;
  std::vector<IndexRow> mask_index_;
  std::vector<int64_t> labels_;
  std::vector<uint64_t> groups_;
  std::vector<uint32_t> crcs_;
  std::vector<uint32_t> extras_crcs_;
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_SHARD_READER_H_
