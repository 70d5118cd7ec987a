#include "data/mixed_dataset.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/digest.h"
#include "core/base/status_macros.h"
#include "data/manifest.h"

namespace langevin::data {
namespace {

class MixedDataset : public Dataset {
 public:
  explicit MixedDataset(std::vector<std::unique_ptr<Dataset>> datasets)
      : datasets_(std::move(datasets)) {
    Digest digest;
    digest.UpdateString("langevin mix 1");
    for (const auto& dataset : datasets_) {
      starts_.push_back(size_);
      size_ += dataset->size();
      has_masks_ = has_masks_ || dataset->has_masks();
      has_groups_ = has_groups_ && dataset->has_groups();
      digest.UpdateString(dataset->fingerprint());
      JoinClasses(*dataset);
    }
    fingerprint_ = digest.Hex();
  }

  int64_t size() const override { return size_; }
  const ImageShape& shape() const override { return datasets_[0]->shape(); }
  DType dtype() const override { return datasets_[0]->dtype(); }
  const IntensityMap& intensity_map() const override { return datasets_[0]->intensity_map(); }
  const PhysicalUnits& physical() const override { return datasets_[0]->physical(); }
  bool has_labels() const override { return datasets_[0]->has_labels(); }
  const std::vector<std::string>& class_names() const override { return class_names_; }
  int64_t num_classes() const override { return num_classes_; }
  const std::string& fingerprint() const override { return fingerprint_; }
  bool has_masks() const override { return has_masks_; }
  bool has_groups() const override { return has_groups_; }
  int64_t condition_size() const override { return datasets_[0]->condition_size(); }

  absl::Status ReadImage(int64_t index, bool verify, std::span<std::byte> pixels) const override {
    const size_t part = PartOf(index);
    return datasets_[part]->ReadImage(index - starts_[part], verify, pixels);
  }
  void WillNeed(int64_t index) const override {
    const size_t part = PartOf(index);
    datasets_[part]->WillNeed(index - starts_[part]);
  }
  absl::Status ReadExtras(int64_t index, bool verify, std::span<uint8_t> mask,
                          std::span<float> condition) const override {
    const size_t part = PartOf(index);
    return datasets_[part]->ReadExtras(index - starts_[part], verify, mask, condition);
  }
  int64_t label(int64_t index) const override {
    const size_t part = PartOf(index);
    const int64_t own = datasets_[part]->label(index - starts_[part]);
    return class_of_[part].empty() ? own : class_of_[part][static_cast<size_t>(own)];
  }
  uint64_t group(int64_t index) const override {
    const size_t part = PartOf(index);
    return datasets_[part]->group(index - starts_[part]);
  }
  std::vector<int64_t> parts() const override {
    std::vector<int64_t> sizes;
    for (const auto& dataset : datasets_) sizes.push_back(dataset->size());
    return sizes;
  }

 private:
  size_t PartOf(int64_t index) const {
    return static_cast<size_t>(std::upper_bound(starts_.begin(), starts_.end(), index) -
                               starts_.begin() - 1);
  }

  // Finds or makes a number for each class of `dataset`.
  void JoinClasses(const Dataset& dataset) {
    std::vector<int64_t>& numbers = class_of_.emplace_back();
    for (const std::string& name : dataset.class_names()) {
      auto found = std::find(class_names_.begin(), class_names_.end(), name);
      if (found == class_names_.end()) found = class_names_.insert(found, name);
      numbers.push_back(found - class_names_.begin());
    }
    num_classes_ = class_names_.empty() ? std::max(num_classes_, dataset.num_classes())
                                        : static_cast<int64_t>(class_names_.size());
  }

  const std::vector<std::unique_ptr<Dataset>> datasets_;
  std::vector<int64_t> starts_;
  int64_t size_ = 0;
  bool has_masks_ = false;
  bool has_groups_ = true;
  std::string fingerprint_;
  std::vector<std::string> class_names_;
  int64_t num_classes_ = 0;
  std::vector<std::vector<int64_t>>
      class_of_;  // Of each data set's own labels; empty: as they are.
};

// What of `other` does not go with `first`, or nothing.
std::string FindDifference(const Dataset& first, const Dataset& other) {
  if (other.shape() != first.shape() || other.dtype() != first.dtype()) {
    return absl::StrFormat("its images are %s, those of --data %s",
                           Describe(other.shape(), other.dtype()),
                           Describe(first.shape(), first.dtype()));
  }
  const IntensityMap &a = first.intensity_map(), &b = other.intensity_map();
  if (a != b || other.physical() != first.physical()) {
    return absl::StrFormat(
        "its intensity map is %.9g x stored + %.9g, that of --data %.9g x stored + %.9g", b.scale,
        b.offset, a.scale, a.offset);
  }
  if (other.has_labels() != first.has_labels()) {
    return other.has_labels() ? "it has labels, which --data does not have"
                              : "it has no labels, which --data has";
  }
  const bool names = static_cast<int64_t>(first.class_names().size()) == first.num_classes();
  if (names != (static_cast<int64_t>(other.class_names().size()) == other.num_classes())) {
    return "only one of it and --data has names for its classes";
  }
  if (other.condition_size() != first.condition_size()) {
    return absl::StrFormat("its conditions have %d numbers, those of --data %d",
                           other.condition_size(), first.condition_size());
  }
  return "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<Dataset>> MixDatasets(std::vector<std::unique_ptr<Dataset>> datasets,
                                                     const std::vector<std::string>& names) {
  for (size_t i = 1; i < datasets.size(); ++i) {
    const std::string difference = FindDifference(*datasets[0], *datasets[i]);
    if (difference.empty()) continue;
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: cannot be mixed with --data: %s; prepare both alike, or leave it out of data.mix",
        names[i], difference));
  }
  return std::make_unique<MixedDataset>(std::move(datasets));
}

absl::StatusOr<std::unique_ptr<Dataset>> OpenTrainingData(FileSystem& file_system,
                                                          const std::string& folder,
                                                          const configs::DataConfig& config) {
  LANGEVIN_ASSIGN_OR_RETURN(std::unique_ptr<Dataset> first,
                            Dataset::Open(file_system, folder, Split::kTrain));
  if (config.mix.empty()) return first;
  std::vector<std::unique_ptr<Dataset>> datasets;
  datasets.push_back(std::move(first));
  std::vector<std::string> names = {folder};
  for (const configs::MixConfig& mix : config.mix) {
    names.push_back(mix.path);
    LANGEVIN_ASSIGN_OR_RETURN(datasets.emplace_back(),
                              Dataset::Open(file_system, mix.path, Split::kTrain));
  }
  return MixDatasets(std::move(datasets), names);
}

}  // namespace langevin::data
