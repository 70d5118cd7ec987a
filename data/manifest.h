// The manifest of a data set: what is in it, which files hold it, and the digests that prove it.
//
// Plain values; the text format and its protobuf schema stay inside manifest.cc.
#ifndef LANGEVIN_DATA_MANIFEST_H_
#define LANGEVIN_DATA_MANIFEST_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/digest.h"
#include "core/base/file_system.h"
#include "core/base/tensor_view.h"
#include "data/dataset.h"

namespace langevin::data {

inline constexpr std::string_view kManifestName = "manifest.textproto";
// What is written. Version 1, which had neither masks nor groups nor conditions nor compressed
// shards, is still read.
inline constexpr int kFormatVersion = 2;
inline constexpr int kOldestFormatVersion = 1;

struct ShardEntry {
  std::string file;  // A name in the data set's folder.
  int64_t count = 0;
  std::string digest;  // A ContentDigest over its images.
};

struct SplitEntry {
  Split split = Split::kTrain;
  int64_t count = 0;
  std::string digest;  // A ContentDigest over all its images, however they are cut into shards.
  std::vector<ShardEntry> shards;
};

struct Manifest {
  std::string fingerprint;
  ImageShape shape;
  DType dtype = DType::kUint8;
  IntensityMap intensity_map;
  PhysicalUnits physical;
  bool has_labels = false;
  int64_t num_classes = 0;
  std::vector<std::string> class_names;
  bool has_masks = false;  // Some image has a mask that is not all ones.
  bool has_groups = false;
  int64_t condition_size = 0;
  std::vector<SplitEntry> splits;  // At most one of each kind, train first.
  int64_t rejected = 0;
  std::string inputs_digest;
  // Above 1: made by appending to the data set with the fingerprint `parent`, whose images come
  // first in each split.
  int64_t version = 1;
  std::string parent;

  const SplitEntry* FindSplit(Split split) const;  // Null if there is none.
};

// "train" or "validation".
std::string_view NameOfSplit(Split split);
// "uint8", "uint16", "float32": what numpy calls a format that images may have.
std::string_view NumpyName(DType dtype);
// "28 x 28 x 1 uint8": height, width, channels.
std::string Describe(const ImageShape& shape, DType dtype);
// "train-00000-of-00004.h5".
std::string ShardFileName(Split split, int64_t index, int64_t count);

// Collects the images of a shard or split, in order. One thread at a time.
class ContentDigest {
 public:
  // `label` is -1 where the data set has none; `extras_crc` (ExtrasCrc) 0 where the image has no
  // extras.
  void Add(uint32_t crc, int64_t label, uint32_t extras_crc = 0) {
    digest_.UpdateInteger(crc);
    digest_.UpdateInteger(static_cast<uint64_t>(label));
    // More than any checksum, so that it cannot be taken for the next image.
    if (extras_crc != 0) digest_.UpdateInteger(uint64_t{1} << 32 | extras_crc);
  }
  std::string Hex() const { return digest_.Hex(); }

 private:
  Digest digest_;
};

// The name of the contents: a digest over shape, dtype, intensity map, classes and the digests of
// the splits. Independent of paths, of shard sizes and of what was rejected.
std::string Fingerprint(const Manifest& manifest);

// The contents of manifest.textproto.
std::string ManifestToText(const Manifest& manifest);

// Reads and checks the manifest in `folder`: all fields there, possible, and in agreement with the
// fingerprint. NotFound: none there. DataLoss: anything else, naming the file.
absl::StatusOr<Manifest> ReadManifest(FileSystem& file_system, const std::string& folder);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_MANIFEST_H_
