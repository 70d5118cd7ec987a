// What is done to the image at a position of the run: drawn from (seed, position) alone, so that
// neither threads nor ranks nor restarts can change it.
//
// Each augmentation has its own substream of RandomPurpose::kAugmentation, so that one more does
// not change what another draws; the numbers are frozen.
#ifndef LANGEVIN_DATA_AUGMENT_H_
#define LANGEVIN_DATA_AUGMENT_H_

#include <array>
#include <cstdint>

#include "absl/status/status.h"
#include "configs/run_config.h"
#include "data/affine.h"
#include "data/dataset.h"

namespace langevin::data {

// Substreams of RandomPurpose::kAugmentation.
enum class Augmentation : uint32_t {
  kHorizontalFlip = 0,
  kVerticalFlip = 1,
  kQuarterTurn = 2,
  kCrop = 3,
  kScale = 4,
  kRotation = 5,
  kTranslation = 6,
  kIntensity = 7,
  kNoiseLevel = 8,
  kNoise = 9,
  // EDM's pipeline.
  kEdmFlips = 10,
  kEdmChoices = 11,  // Which transformations are applied, and the angles.
  kEdmNormals = 12,  // How strongly.
};

// The numbers a network is told of EDM's pipeline, in the order of the paper's table: x flip, y
// flip, log scale, cos - 1 and sin of the rotation, log anisotropy times cos and sin of its
// direction, translation by x and by y. 0 where a transformation is not applied.
inline constexpr int64_t kAugmentLabels = 9;

struct DrawnAugmentation {
  // Where the pixel at a point of the output comes from in the image as stored.
  Affine source;
  float gain = 1;  // output = gain * value + shift + noise * N(0, 1).
  float shift = 0;
  float noise = 0;
  std::array<float, kAugmentLabels> labels = {};
};

// Whether the image at `position` is mirrored by horizontal_flip: with probability one half.
bool DrawHorizontalFlip(uint64_t seed, int64_t position);

DrawnAugmentation DrawAugmentation(const configs::AugmentConfig& config, const ImageShape& shape,
                                   uint64_t seed, int64_t position);

// InvalidArgument naming the field where images of this shape cannot be augmented so.
absl::Status CheckAugmentFits(const configs::AugmentConfig& config, const ImageShape& shape);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_AUGMENT_H_
