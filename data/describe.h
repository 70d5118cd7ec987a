// What `langevin inspect` prints of a data set and of a shard.
#ifndef LANGEVIN_DATA_DESCRIBE_H_
#define LANGEVIN_DATA_DESCRIBE_H_

#include <string>

#include "absl/status/statusor.h"
#include "core/base/file_system.h"

namespace langevin::data {

// Lines for a person: fingerprint, images, intensity map, counts by split and class, shards,
// rejected files. Opens and checks every shard, but reads no image. Errors are Dataset::Open's.
absl::StatusOr<std::string> DescribeDataset(FileSystem& file_system, const std::string& folder);

// The same for one shard file, manifest or no manifest; reads every image and compares its
// checksum.
absl::StatusOr<std::string> DescribeShard(FileSystem& file_system, const std::string& path);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_DESCRIBE_H_
