// One shard, open for reading: where its arrays are, and its labels and checksums in memory.
//
// HDF5 is asked once where things are and closed again. What it says is checked against the size of
// the file before anything is read; a shard that would make HDF5 open other files or run foreign
// code (external storage, external links, virtual datasets, filters) is refused.
#ifndef LANGEVIN_DATA_SHARD_READER_H_
#define LANGEVIN_DATA_SHARD_READER_H_

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
  const std::vector<int64_t>& labels() const { return labels_; }  // Empty without labels.
  const std::vector<uint32_t>& crcs() const { return crcs_; }
  // As the manifest names it.
  std::string digest() const;

  // Reads image `index`, in [0, count()), into spec().image_bytes() bytes; compares the checksum if
  // `verify`.
  absl::Status ReadImage(int64_t index, bool verify, std::span<std::byte> pixels) const;

 private:
  ShardReader(std::string path, std::unique_ptr<RandomAccessFile> file)
      : path_(std::move(path)), file_(std::move(file)) {}

  const std::string path_;
  const std::unique_ptr<RandomAccessFile> file_;
  ShardSpec spec_;
  uint64_t images_offset_ = 0;
  std::vector<int64_t> labels_;
  std::vector<uint32_t> crcs_;
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_SHARD_READER_H_
