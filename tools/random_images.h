// A data set of noise that lies in memory, for benchmarks.
#ifndef LANGEVIN_TOOLS_RANDOM_IMAGES_H_
#define LANGEVIN_TOOLS_RANDOM_IMAGES_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace langevin::tools {

// Immutable; any thread.
class RandomImages : public data::Dataset {
 public:
  // `num_classes` 0: without labels.
  RandomImages(const data::ImageShape& shape, int64_t num_classes);

  int64_t size() const override { return kSize; }
  const data::ImageShape& shape() const override { return shape_; }
  DType dtype() const override { return DType::kUint8; }
  const data::IntensityMap& intensity_map() const override { return intensity_map_; }
  const data::PhysicalUnits& physical() const override { return physical_; }
  bool has_labels() const override { return num_classes_ > 0; }
  const std::vector<std::string>& class_names() const override { return class_names_; }
  int64_t num_classes() const override { return num_classes_; }
  const std::string& fingerprint() const override { return fingerprint_; }
  absl::Status ReadImage(int64_t index, bool verify, std::span<std::byte> pixels) const override;
  int64_t label(int64_t index) const override { return index % num_classes_; }

 private:
  static constexpr int64_t kSize = 4096;

  data::ImageShape shape_;
  int64_t num_classes_;
  const data::PhysicalUnits physical_;
  data::IntensityMap intensity_map_{.scale = 2.0 / 255, .offset = -1};
  std::vector<std::string> class_names_;
  std::string fingerprint_ = "random images";
  std::vector<std::byte> noise_;  // Image i begins at byte i.
};

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_RANDOM_IMAGES_H_
