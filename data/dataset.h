// A prepared data set: a folder of HDF5 shards with a manifest, open for reading.
//
// Opening checks every shard's header against the manifest and takes the file offsets of its
// arrays; HDF5 is closed again before the first image is read, and images are read with pread, so
// that HDF5's global lock is never on the hot path.
#ifndef LANGEVIN_DATA_DATASET_H_
#define LANGEVIN_DATA_DATASET_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/file_system.h"
#include "core/base/tensor_view.h"

namespace langevin::data {

struct ImageShape {
  int64_t height = 0;
  int64_t width = 0;
  int64_t channels = 0;

  int64_t values() const { return height * width * channels; }
  friend bool operator==(const ImageShape&, const ImageShape&) = default;
};

// How stored numbers become the model's: model = clip(stored) * scale + offset. Exported with the
// model; inverted but for what was clipped.
struct IntensityMap {
  double scale = 1;
  double offset = 0;
  // Stored numbers outside are set to the nearer one first.
  double clip_low = -std::numeric_limits<double>::infinity();
  double clip_high = std::numeric_limits<double>::infinity();

  friend bool operator==(const IntensityMap&, const IntensityMap&) = default;
};

// What stored numbers mean: physical value (HU, or whatever the source measures) = stored * scale +
// offset.
struct PhysicalUnits {
  double scale = 1;
  double offset = 0;
  std::string unit;  // "HU", or empty.

  friend bool operator==(const PhysicalUnits&, const PhysicalUnits&) = default;
};

enum class Split { kTrain, kValidation };

// One split of a data set. Immutable; any number of threads may read at the same time.
class Dataset {
 public:
  // Opens one split of the data set in `folder`. NotFound: no data set there, or no such split;
  // DataLoss: manifest or a shard missing, truncated, unfinished, of another shape or fingerprint,
  // or of a kind that is refused (external storage, virtual, filtered). Messages name the file and
  // what to do.
  static absl::StatusOr<std::unique_ptr<Dataset>> Open(FileSystem& file_system,
                                                       const std::string& folder, Split split);
  virtual ~Dataset() = default;

  virtual int64_t size() const = 0;  // At least 1.
  virtual const ImageShape& shape() const = 0;
  virtual DType dtype() const = 0;  // kUint8, kUint16 or kFloat32.
  virtual const IntensityMap& intensity_map() const = 0;
  virtual const PhysicalUnits& physical() const = 0;
  virtual bool has_labels() const = 0;
  // Names of classes 0, 1, ...; may be empty where labels are mere numbers.
  virtual const std::vector<std::string>& class_names() const = 0;
  // How many classes there are: the largest label plus one, over all splits; 0 without labels.
  virtual int64_t num_classes() const = 0;
  // Names the contents of all splits: any changed, added or reordered image changes it.
  virtual const std::string& fingerprint() const = 0;

  // Reads image `index` as stored (height, width, channels interleaved) into `pixels`, which must
  // have shape().values() * SizeOf(dtype()) bytes, and checks its checksum if `verify`. DataLoss
  // names shard and image.
  virtual absl::Status ReadImage(int64_t index, bool verify, std::span<std::byte> pixels) const = 0;
  // Images [index, index + count) into as many times the bytes, side by side, with as few reads as
  // the files allow.
  virtual absl::Status ReadImages(int64_t index, int64_t count, bool verify,
                                  std::span<std::byte> pixels) const;
  // Image `index` will be read soon: where it is on a disk, that may begin to fetch it.
  virtual void WillNeed(int64_t /*index*/) const {}
  // The label of image `index`. Requires has_labels().
  virtual int64_t label(int64_t index) const = 0;

  // What only some data sets have.
  virtual bool has_masks() const { return false; }  // Some mask is not all ones.
  virtual int64_t condition_size() const { return 0; }
  virtual bool has_groups() const { return false; }
  // A salted hash of whom image `index` is of. Requires has_groups().
  virtual uint64_t group(int64_t /*index*/) const { return 0; }
  // The mask of image `index` (height x width of 1 valid, 0 missing) and its condition
  // (condition_size numbers), with their checksum if `verify`.
  virtual absl::Status ReadExtras(int64_t index, bool verify, std::span<uint8_t> mask,
                                  std::span<float> condition) const;
  // Sizes of the data sets that this one is put together from, in the order of its images.
  virtual std::vector<int64_t> parts() const { return {size()}; }
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_DATASET_H_
