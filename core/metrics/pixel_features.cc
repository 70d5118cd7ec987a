#include <utility>

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"
#include "core/metrics/features.h"

namespace langevin::metrics {
namespace {

class PixelFeatures : public FeatureExtractor {
 public:
  PixelFeatures(const ImageSize& size, int64_t height, int64_t width)
      : height_(height), width_(width) {
    info_.are_pixels = true;
    info_.description = absl::StrCat(
        height == size.height && width == size.width ? "pixels, " : "pixels averaged to ",
        size.channels, " x ", height, " x ", width);
    info_.dimension = size.channels * height * width;
  }

  absl::StatusOr<Features> Extract(const at::Tensor& images) const override {
    return Features{at::adaptive_avg_pool2d(images, {height_, width_}).flatten(1).contiguous(), {}};
  }

 private:
  const int64_t height_, width_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<FeatureExtractor>> MakePixelFeatures(const ImageSize& size) {
  if (size.channels > kMostPixelFeatures) {
    return absl::InvalidArgumentError(
        absl::StrCat("images of ", size.channels, " channels cannot be compared by at most ",
                     kMostPixelFeatures, " pixels; give a module with --features"));
  }
  const auto cells = [](int64_t length, int64_t factor) { return (length + factor - 1) / factor; };
  int64_t factor = 1;
  while (size.channels * cells(size.height, factor) * cells(size.width, factor) >
         kMostPixelFeatures) {
    ++factor;
  }
  return std::make_unique<PixelFeatures>(size, cells(size.height, factor),
                                         cells(size.width, factor));
}

}  // namespace langevin::metrics
