// What the metrics compare images by: numbers that a network makes of an image, or, without one,
// its pixels, averaged down.
//
// A network is a TorchScript module, (N, C, H, W) fp32 in the model's range ([-1, 1] for integer
// data) -> (N, D) features, or a tuple (features, logits) of a classifier. It scales images to the
// size it wants itself. A module is a program: it is run, so it must come from someone trusted.
#ifndef LANGEVIN_CORE_METRICS_FEATURES_H_
#define LANGEVIN_CORE_METRICS_FEATURES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "core/base/file_system.h"

namespace langevin::metrics {

// Images computed together, always: the bits of a convolution can depend on the size of its batch.
constexpr int64_t kFeatureBatch = 64;

// Pixels are averaged down to at most so many values.
constexpr int64_t kMostPixelFeatures = 256;

struct ImageSize {
  int64_t channels = 0;
  int64_t height = 0;
  int64_t width = 0;

  int64_t values() const { return channels * height * width; }
};

struct Features {
  at::Tensor values;  // (N, D), fp32, on the CPU.
  at::Tensor logits;  // (N, classes), fp32, on the CPU; undefined where there are none.
};

// What the features are, for whoever reads the numbers.
struct FeatureInfo {
  bool are_pixels = false;
  std::string description;  // "pixels averaged to 1 x 14 x 14", "TorchScript module".
  std::string file;         // The module's; empty for pixels.
  std::string checksum;     // "xxh3-128:" and 32 hexadecimal digits; empty for pixels.
  int64_t dimension = 0;
  int64_t classes = 0;  // 0: no logits.
};

// Immutable; used by one thread at a time.
class FeatureExtractor {
 public:
  virtual ~FeatureExtractor() = default;
  const FeatureInfo& info() const { return info_; }

  // Of `images` (kFeatureBatch, C, H, W), fp32, on the CPU. Row i depends on image i alone.
  // DataLoss: the module fails, or gives something else than it gave before, or what is not finite.
  virtual absl::StatusOr<Features> Extract(const at::Tensor& images) const = 0;

 protected:
  FeatureInfo info_;
};

// Every channel averaged over squares of f x f pixels, f the least that gives at most
// kMostPixelFeatures values. InvalidArgument: more channels than that.
absl::StatusOr<std::unique_ptr<FeatureExtractor>> MakePixelFeatures(const ImageSize& size);

// Reads a module and tries it on a batch of gray images. NotFound: no such file; DataLoss, in one
// line that names the file: no module, one that fails on images of this size, or whose output is no
// such tensor.
absl::StatusOr<std::unique_ptr<FeatureExtractor>> LoadFeatureModule(FileSystem& file_system,
                                                                    const std::string& path,
                                                                    const ImageSize& size,
                                                                    const at::Device& device);

}  // namespace langevin::metrics

#endif  // LANGEVIN_CORE_METRICS_FEATURES_H_
