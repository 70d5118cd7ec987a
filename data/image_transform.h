// From an image as stored to the model's numbers: intensity map, layout, augmentation.
//
// What is drawn for an image is a function of (seed, position) alone, so that neither threads nor
// restarts can change it. Each augmentation has its own substream of RandomPurpose::kAugmentation;
// the numbers are frozen.
#ifndef LANGEVIN_DATA_IMAGE_TRANSFORM_H_
#define LANGEVIN_DATA_IMAGE_TRANSFORM_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "configs/run_config.h"
#include "core/base/tensor_view.h"
#include "data/dataset.h"

namespace langevin::data {

// Substreams of RandomPurpose::kAugmentation.
enum class Augmentation : uint32_t { kHorizontalFlip = 0 };

// Whether the image at `position` is mirrored: with probability one half.
bool DrawHorizontalFlip(uint64_t seed, int64_t position);

// Immutable; any thread.
class ImageTransform {
 public:
  ImageTransform(const ImageShape& shape, DType dtype, const IntensityMap& map, uint64_t seed,
                 const configs::AugmentConfig& augment);

  // `stored`: (height, width, channels) interleaved, of the data set's number format. `out`:
  // (channels, height, width) in the model's range, shape.values() numbers.
  void Apply(int64_t position, std::span<const std::byte> stored, std::span<float> out) const;

 private:
  const ImageShape shape_;
  const DType dtype_;
  const IntensityMap map_;
  const uint64_t seed_;
  const configs::AugmentConfig augment_;
  std::vector<float> table_;  // The model's number for each stored integer; empty for float32.
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_IMAGE_TRANSFORM_H_
