#include "data/measure_deviation.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/status_macros.h"
#include "data/image_transform.h"

namespace langevin::data {
namespace {

constexpr int64_t kMostImages = 4096;

double RoundToFourDigits(double value) {
  if (value == 0) return 0;
  const double unit = std::pow(10, std::floor(std::log10(value)) - 3);
  return std::round(value / unit) * unit;
}

}  // namespace

absl::StatusOr<double> MeasureDeviation(const Dataset& dataset) {
  const ImageTransform transform(dataset.shape(), dataset.dtype(), dataset.intensity_map(),
                                 /*seed=*/0, {});
  const int64_t values = dataset.shape().values();
  std::vector<std::byte> stored(values * SizeOf(dataset.dtype()));
  std::vector<float> image(values);
  ImageTransform::Scratch scratch;
  const int64_t count = std::min(dataset.size(), kMostImages);
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < count; ++i) {
    // Without overflow for any number of images that fits on disks.
    const int64_t index = static_cast<int64_t>(static_cast<double>(i) / count * dataset.size());
    LANGEVIN_RETURN_IF_ERROR(dataset.ReadImage(index, /*verify=*/true, stored));
    transform.Apply(i, stored, {}, {.image = image}, scratch);
    for (const float value : image) {
      sum += value;
      squares += double{value} * value;
    }
  }
  const double total = static_cast<double>(count * values);
  const double mean = sum / total;
  return RoundToFourDigits(std::sqrt(std::max(0.0, squares / total - mean * mean)));
}

}  // namespace langevin::data
