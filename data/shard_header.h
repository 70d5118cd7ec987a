// Where the arrays of a shard stand in its file, as HDF5 says and the file's size allows.
//
// Everything that would make HDF5 open other files or run foreign code is refused: external
// storage, links that are not hard, virtual datasets, filters; so are chunks, user blocks and
// number formats that shards do not have. Hold a Hdf5Session while using this.
#ifndef LANGEVIN_DATA_SHARD_HEADER_H_
#define LANGEVIN_DATA_SHARD_HEADER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/hdf5.h"

namespace langevin::data {

// DataLoss: "PATH: PROBLEM; what to do".
absl::Status RefusedShard(const std::string& path, std::string_view problem);

// All little endian.
enum class NumberType { kUint8, kUint16, kUint32, kUint64, kInt64, kFloat32 };

uint64_t BytesOf(NumberType type);

// An array that lies in the file in one piece, and inside it.
struct ArrayExtent {
  NumberType type = NumberType::kUint8;
  std::vector<uint64_t> shape;
  uint64_t offset = 0;
  uint64_t bytes = 0;
};

class ShardHeader {
 public:
  ShardHeader(std::string path, uint64_t file_size)
      : path_(std::move(path)), file_size_(file_size) {}

  absl::Status Open();

  absl::StatusOr<int64_t> IntegerAttribute(const char* name) const;
  absl::StatusOr<double> RealAttribute(const char* name) const;

  // Whether a link of any kind stands under `name`.
  bool Has(const char* name) const { return H5Lexists(file_->get(), name, H5P_DEFAULT) > 0; }

  // The array `name`, with so many dimensions.
  absl::StatusOr<ArrayExtent> Array(const char* name, int rank) const;

 private:
  absl::Status ReadAttribute(const char* name, H5T_class_t kind, hid_t memory, void* value) const;

  const std::string path_;
  const uint64_t file_size_;
  std::optional<Hdf5Id> file_;
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_SHARD_HEADER_H_
