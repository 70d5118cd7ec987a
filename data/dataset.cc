#include "data/dataset.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "data/manifest.h"
#include "data/shard_reader.h"

namespace langevin::data {
namespace {

class ShardedDataset : public Dataset {
 public:
  ShardedDataset(Manifest manifest, std::vector<std::unique_ptr<ShardReader>> shards)
      : manifest_(std::move(manifest)), shards_(std::move(shards)) {
    for (const auto& shard : shards_) {
      starts_.push_back(size_);
      size_ += shard->count();
    }
  }

  int64_t size() const override { return size_; }
  const ImageShape& shape() const override { return manifest_.shape; }
  DType dtype() const override { return manifest_.dtype; }
  const IntensityMap& intensity_map() const override { return manifest_.intensity_map; }
  const PhysicalUnits& physical() const override { return manifest_.physical; }
  bool has_labels() const override { return manifest_.has_labels; }
  const std::vector<std::string>& class_names() const override { return manifest_.class_names; }
  int64_t num_classes() const override { return manifest_.num_classes; }
  const std::string& fingerprint() const override { return manifest_.fingerprint; }

  absl::Status ReadImage(int64_t index, bool verify, std::span<std::byte> pixels) const override {
    const size_t shard = ShardOf(index);
    return shards_[shard]->ReadImage(index - starts_[shard], verify, pixels);
  }

  absl::Status ReadImages(int64_t index, int64_t count, bool verify,
                          std::span<std::byte> pixels) const override {
    const auto image_bytes = pixels.size() / static_cast<size_t>(count);
    while (count > 0) {
      const size_t shard = ShardOf(index);
      const int64_t here = std::min(count, starts_[shard] + shards_[shard]->count() - index);
      const auto bytes = static_cast<size_t>(here) * image_bytes;
      LANGEVIN_RETURN_IF_ERROR(
          shards_[shard]->ReadImages(index - starts_[shard], here, verify, pixels.first(bytes)));
      pixels = pixels.subspan(bytes);
      index += here;
      count -= here;
    }
    return absl::OkStatus();
  }

  void WillNeed(int64_t index) const override {
    const size_t shard = ShardOf(index);
    shards_[shard]->WillNeed(index - starts_[shard]);
  }

  int64_t label(int64_t index) const override {
    const size_t shard = ShardOf(index);
    return shards_[shard]->labels()[static_cast<size_t>(index - starts_[shard])];
  }

  bool has_masks() const override { return manifest_.has_masks; }
  int64_t condition_size() const override { return manifest_.condition_size; }
  bool has_groups() const override { return manifest_.has_groups; }

  uint64_t group(int64_t index) const override {
    const size_t shard = ShardOf(index);
    return shards_[shard]->groups()[static_cast<size_t>(index - starts_[shard])];
  }

  absl::Status ReadExtras(int64_t index, bool verify, std::span<uint8_t> mask,
                          std::span<float> condition) const override {
    const size_t shard = ShardOf(index);
    return shards_[shard]->ReadExtras(index - starts_[shard], verify, mask, condition);
  }

 private:
  size_t ShardOf(int64_t index) const {
    return static_cast<size_t>(std::upper_bound(starts_.begin(), starts_.end(), index) -
                               starts_.begin() - 1);
  }

  const Manifest manifest_;
  const std::vector<std::unique_ptr<ShardReader>> shards_;
  std::vector<int64_t> starts_;  // The index of each shard's first image.
  int64_t size_ = 0;
};

// OK if `shard` is the one that the manifest means.
absl::Status CheckAgainstManifest(const std::string& path, const ShardReader& shard,
                                  const ShardEntry& entry, const Manifest& manifest) {
  const auto differs = [&path](std::string_view what) {
    return absl::DataLossError(absl::StrFormat(
        "%s: %s; it belongs to another data set or was changed: restore it, or remove the data set "
        "and make it again",
        path, what));
  };
  const ShardSpec& spec = shard.spec();
  if (spec.shape != manifest.shape || spec.dtype != manifest.dtype) {
    return differs(absl::StrFormat("its images are %s, the manifest says %s",
                                   Describe(spec.shape, spec.dtype),
                                   Describe(manifest.shape, manifest.dtype)));
  }
  if (spec.intensity_map.scale != manifest.intensity_map.scale ||
      spec.intensity_map.offset != manifest.intensity_map.offset) {
    return differs("its intensity map is not the manifest's");
  }
  if (spec.has_labels != manifest.has_labels) {
    return differs(spec.has_labels ? "it has labels, which the manifest does not have"
                                   : "it has no labels, which the manifest has");
  }
  if (spec.has_groups != manifest.has_groups || spec.condition_size != manifest.condition_size ||
      (shard.has_masks() && !manifest.has_masks)) {
    return differs("it has other arrays (masks, conditions, group) than the manifest says");
  }
  if (shard.count() != entry.count) {
    return differs(
        absl::StrFormat("it holds %d images, the manifest says %d", shard.count(), entry.count));
  }
  if (shard.digest() != entry.digest) {
    return differs("its labels or checksums are not those that the manifest names");
  }
  for (const int64_t label : shard.labels()) {
    if (label < 0 || label >= manifest.num_classes) {
      return differs(absl::StrFormat("it has the label %d; there are %d classes", label,
                                     manifest.num_classes));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Dataset::ReadImages(int64_t index, int64_t count, bool verify,
                                 std::span<std::byte> pixels) const {
  const auto image_bytes = static_cast<size_t>(shape().values()) * SizeOf(dtype());
  for (int64_t i = 0; i < count; ++i) {
    LANGEVIN_RETURN_IF_ERROR(ReadImage(
        index + i, verify, pixels.subspan(static_cast<size_t>(i) * image_bytes, image_bytes)));
  }
  return absl::OkStatus();
}

absl::Status Dataset::ReadExtras(int64_t /*index*/, bool /*verify*/, std::span<uint8_t> mask,
                                 std::span<float> condition) const {
  std::fill(mask.begin(), mask.end(), uint8_t{1});
  std::fill(condition.begin(), condition.end(), 0.0f);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Dataset>> Dataset::Open(FileSystem& file_system,
                                                       const std::string& folder, Split split) {
  LANGEVIN_ASSIGN_OR_RETURN(Manifest manifest, ReadManifest(file_system, folder));
  const SplitEntry* const entry = manifest.FindSplit(split);
  if (entry == nullptr) {
    return absl::NotFoundError(absl::StrFormat(
        "%s: has no split \"%s\"; make the data set again from a folder that has one, or with "
        "--validation_fraction",
        folder, NameOfSplit(split)));
  }
  std::vector<std::unique_ptr<ShardReader>> shards;
  ContentDigest digest;
  for (const ShardEntry& shard_entry : entry->shards) {
    const std::string path = JoinPath(folder, shard_entry.file);
    LANGEVIN_ASSIGN_OR_RETURN(std::unique_ptr<ShardReader> shard,
                              ShardReader::Open(file_system, path));
    LANGEVIN_RETURN_IF_ERROR(CheckAgainstManifest(path, *shard, shard_entry, manifest));
    for (size_t i = 0; i < shard->crcs().size(); ++i) {
      digest.Add(shard->crcs()[i], manifest.has_labels ? shard->labels()[i] : -1,
                 shard->extras_crc(static_cast<int64_t>(i)));
    }
    shards.push_back(std::move(shard));
  }
  if (digest.Hex() != entry->digest) {
    return absl::DataLossError(absl::StrFormat(
        "%s: the shards of split \"%s\" are not in the order that the fingerprint stands for; "
        "restore %s, or make the data set again",
        folder, NameOfSplit(split), kManifestName));
  }
  return std::make_unique<ShardedDataset>(std::move(manifest), std::move(shards));
}

}  // namespace langevin::data
