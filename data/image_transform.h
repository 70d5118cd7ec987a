// From an image as stored to the model's numbers: intensity map, layout, augmentation.
#ifndef LANGEVIN_DATA_IMAGE_TRANSFORM_H_
#define LANGEVIN_DATA_IMAGE_TRANSFORM_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "configs/run_config.h"
#include "core/base/tensor_view.h"
#include "data/augment.h"
#include "data/dataset.h"
#include "data/pixel_kernels.h"

namespace langevin::data {

// Immutable; any thread, each with a Scratch of its own.
class ImageTransform {
 public:
  // Memory that is used again for every image.
  struct Scratch {
    std::vector<float> planes;
    std::vector<float> noise;
  };

  // Where the results go; what is empty is left out.
  struct Output {
    std::span<float> image;           // (channels, height, width) in the model's range.
    std::span<uint8_t> mask;          // (height, width); moves with the image.
    std::span<float> augment_labels;  // kAugmentLabels.
  };

  // `store`: kStreamed for batches much larger than the caches; FinishStreaming() must follow then.
  ImageTransform(const ImageShape& shape, DType dtype, const IntensityMap& map, uint64_t seed,
                 const configs::AugmentConfig& augment,
                 kernels::Store store = kernels::Store::kCached);

  // `stored`: (height, width, channels) interleaved, of the data set's number format. `mask`:
  // (height, width), or empty for all ones.
  void Apply(int64_t position, std::span<const std::byte> stored, std::span<const uint8_t> mask,
             const Output& output, Scratch& scratch) const;

 private:
  // Channels first and in the model's range, mirrored as told.
  void Convert(std::span<const std::byte> stored, bool mirror_x, bool mirror_y,
               kernels::Store store, std::span<float> out) const;

  const ImageShape shape_;
  const DType dtype_;
  const kernels::LinearMap map_;
  const bool clips_;
  const float clip_low_, clip_high_;  // In the model's range.
  const uint64_t seed_;
  const configs::AugmentConfig augment_;
  const kernels::Store store_;
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_IMAGE_TRANSFORM_H_
