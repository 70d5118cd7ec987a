#include "data/ingest/statistics.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace langevin::data {
namespace {

constexpr int64_t kThumbnailSide = 64;

// Number `index` of `image` as a part of its range: 0 to 1, or NaN.
double Fraction(const DecodedImage& image, int64_t index) {
  const std::byte* const place =
      image.pixels.data() + index * static_cast<int64_t>(SizeOf(image.dtype));
  if (image.dtype == DType::kFloat32) {
    float value;
    std::memcpy(&value, place, sizeof(value));
    return (value + 1) / 2;
  }
  const double largest = std::ldexp(1, image.bits) - 1;
  if (image.dtype == DType::kUint8) return std::to_integer<int>(*place) / largest;
  uint16_t value;
  std::memcpy(&value, place, sizeof(value));
  return value / largest;
}

// The part of a range that cell `index` of `cells` covers, at least one long.
std::pair<int64_t, int64_t> Cell(int64_t index, int64_t cells, int64_t length) {
  const int64_t begin = index * length / cells;
  return {begin, std::max(begin + 1, (index + 1) * length / cells)};
}

}  // namespace

Picture Thumbnail(const DecodedImage& image, int64_t max_side) {
  const ImageShape& shape = image.shape;
  const double shrink =
      std::max(1.0, static_cast<double>(std::max(shape.height, shape.width)) / max_side);
  Picture picture;
  picture.height = std::max<int64_t>(1, std::llround(shape.height / shrink));
  picture.width = std::max<int64_t>(1, std::llround(shape.width / shrink));
  picture.channels = shape.channels == 3 ? 3 : 1;
  for (int64_t y = 0; y < picture.height; ++y) {
    const auto [top, bottom] = Cell(y, picture.height, shape.height);
    for (int64_t x = 0; x < picture.width; ++x) {
      const auto [left, right] = Cell(x, picture.width, shape.width);
      for (int channel = 0; channel < picture.channels; ++channel) {
        double sum = 0;
        for (int64_t row = top; row < bottom; ++row) {
          for (int64_t column = left; column < right; ++column) {
            sum += Fraction(image, (row * shape.width + column) * shape.channels + channel);
          }
        }
        const double mean = sum / static_cast<double>((bottom - top) * (right - left));
        picture.pixels.push_back(
            std::isnan(mean) ? 0
                             : static_cast<uint8_t>(std::lround(std::clamp(mean, 0., 1.) * 255)));
      }
    }
  }
  return picture;
}

void Statistics::Add(const DecodedImage& image, Split split, int64_t label) {
  ++counts_[label][split == Split::kTrain ? 0 : 1];
  if (image.alpha_left_out) ++alpha_left_out_;
  if (image.dtype == DType::kUint8 && image.bits == 8) {
    // The common case, and the one where speed matters: 256 values, 64 bins.
    for (const std::byte value : image.pixels) ++histogram_[std::to_integer<size_t>(value) / 4];
  } else {
    for (int64_t i = 0; i < image.shape.values(); ++i) {
      const double fraction = Fraction(image, i);
      if (std::isnan(fraction)) continue;
      ++histogram_[static_cast<size_t>(std::clamp(fraction * kBins, 0., kBins - 1.))];
    }
  }
  if (!thumbnails_.contains(label) && thumbnails_.size() >= kClassesShown) return;
  std::vector<Picture>& pictures = thumbnails_[label];
  if (pictures.size() < kThumbnailsPerClass) pictures.push_back(Thumbnail(image, kThumbnailSide));
}

int64_t Statistics::count(Split split) const {
  int64_t total = 0;
  for (const auto& [label, counts] : counts_) total += counts[split == Split::kTrain ? 0 : 1];
  return total;
}

}  // namespace langevin::data
