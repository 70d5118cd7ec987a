#include "data/ingest/geometry/geometry.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>

#include "absl/strings/str_format.h"
#include "configs/prepare_config_validation.h"
#include "core/base/status_macros.h"
#include "data/ingest/geometry/resize.h"

namespace langevin::data {
namespace {

using configs::FitMode;
using configs::GeometryConfig;

// The largest box of this aspect in the middle of an image; sides are rounded to whole pixels.
PixelBox CentreBox(const ImageShape& shape, int64_t height, int64_t width) {
  PixelBox box = {.height = shape.height, .width = shape.width};
  const double aspect = static_cast<double>(width) / static_cast<double>(height);
  if (static_cast<double>(shape.width) > static_cast<double>(shape.height) * aspect) {
    box.width = std::clamp<int64_t>(std::llround(static_cast<double>(shape.height) * aspect), 1,
                                    shape.width);
  } else {
    box.height = std::clamp<int64_t>(std::llround(static_cast<double>(shape.width) / aspect), 1,
                                     shape.height);
  }
  box.top = (shape.height - box.height) / 2;
  box.left = (shape.width - box.width) / 2;
  return box;
}

// The size as large as fits in height x width with the image's aspect.
PixelBox InnerBox(const ImageShape& shape, int64_t height, int64_t width) {
  const double scale = std::min(static_cast<double>(height) / static_cast<double>(shape.height),
                                static_cast<double>(width) / static_cast<double>(shape.width));
  const auto side = [scale](int64_t length, int64_t limit) {
    return std::clamp<int64_t>(std::llround(static_cast<double>(length) * scale), 1, limit);
  };
  PixelBox box = {.height = side(shape.height, height), .width = side(shape.width, width)};
  box.top = (height - box.height) / 2;
  box.left = (width - box.width) / 2;
  return box;
}

template <typename T>
void Fill(double value, int32_t bits, std::vector<std::byte>& pixels) {
  T number;
  if constexpr (std::is_same_v<T, float>) {
    number = static_cast<float>(value);
  } else {
    number = static_cast<T>(std::llround(std::clamp(value, 0.0, std::ldexp(1, bits) - 1)));
  }
  std::fill_n(reinterpret_cast<T*>(pixels.data()), pixels.size() / sizeof(T), number);
}

// `image` at `place` of a larger one that is otherwise padding.
DecodedImage Pad(const DecodedImage& image, const PixelBox& place, int64_t height, int64_t width,
                 double pad_value) {
  DecodedImage result = image.WithoutPixels();
  result.shape.height = height;
  result.shape.width = width;
  const size_t pixel_bytes = static_cast<size_t>(image.shape.channels) * SizeOf(image.dtype);
  result.pixels.resize(static_cast<size_t>(height * width) * pixel_bytes);
  switch (image.dtype) {
    case DType::kUint8:
      Fill<uint8_t>(pad_value, image.bits, result.pixels);
      break;
    case DType::kUint16:
      Fill<uint16_t>(pad_value, image.bits, result.pixels);
      break;
    default:
      Fill<float>(pad_value, image.bits, result.pixels);
  }
  result.mask.assign(static_cast<size_t>(height * width), 0);
  for (int64_t y = 0; y < place.height; ++y) {
    const size_t to = static_cast<size_t>((place.top + y) * width + place.left);
    const size_t from = static_cast<size_t>(y * place.width);
    const size_t count = static_cast<size_t>(place.width);
    std::memcpy(result.pixels.data() + to * pixel_bytes, image.pixels.data() + from * pixel_bytes,
                count * pixel_bytes);
    if (image.mask.empty()) {
      std::fill_n(result.mask.data() + to, count, uint8_t{1});
    } else {
      std::copy_n(image.mask.data() + from, count, result.mask.data() + to);
    }
  }
  return result;
}

absl::Status Fit(const DecodedImage& image, const GeometryConfig& config, int64_t height,
                 int64_t width, int32_t bucket, const GeometrySink& sink) {
  const ImageShape& shape = image.shape;
  if ((shape.height == height && shape.width == width) || config.fit == FitMode::kNone) {
    return sink(image, bucket);
  }
  const PixelBox whole = {.height = shape.height, .width = shape.width};
  switch (config.fit) {
    case FitMode::kCrop: {
      const PixelBox box = CentreBox(shape, height, width);
      if (box.height == height && box.width == width) return sink(Crop(image, box), bucket);
      return sink(Resize(image, box, height, width, config.filter), bucket);
    }
    case FitMode::kPad: {
      const PixelBox place = InnerBox(shape, height, width);
      if (place.height == shape.height && place.width == shape.width) {
        return sink(Pad(image, place, height, width, config.pad_value), bucket);
      }
      const DecodedImage inner = Resize(image, whole, place.height, place.width, config.filter);
      if (place.height == height && place.width == width) return sink(inner, bucket);
      return sink(Pad(inner, place, height, width, config.pad_value), bucket);
    }
    default:
      return sink(Resize(image, whole, height, width, config.filter), bucket);
  }
}

// Where tiles begin along a side: every `stride` pixels, and once more at the very end.
std::vector<int64_t> TileStarts(int64_t side, int64_t tile, int64_t stride) {
  std::vector<int64_t> starts;
  for (int64_t start = 0; start + tile <= side; start += stride) starts.push_back(start);
  if (starts.back() + tile < side) starts.push_back(side - tile);
  return starts;
}

absl::Status CutTiles(const DecodedImage& image, const GeometryConfig& config,
                      const GeometrySink& sink) {
  if (image.shape.height < config.height || image.shape.width < config.width) {
    return absl::InvalidArgumentError(
        absl::StrFormat("is %d x %d pixels, too small for a tile of %d x %d", image.shape.height,
                        image.shape.width, config.height, config.width));
  }
  const auto lefts = TileStarts(image.shape.width, config.width, config.tile_stride);
  for (const int64_t top : TileStarts(image.shape.height, config.height, config.tile_stride)) {
    for (const int64_t left : lefts) {
      LANGEVIN_RETURN_IF_ERROR(sink(
          Crop(image, {.top = top, .left = left, .height = config.height, .width = config.width}),
          0));
    }
  }
  return absl::OkStatus();
}

// The bucket whose aspect is nearest to the image's, by ratio; of equals the first.
int32_t NearestBucket(const ImageShape& shape, const std::vector<std::string>& buckets) {
  const auto log_aspect = [](int64_t height, int64_t width) {
    return std::log(static_cast<double>(width) / static_cast<double>(height));
  };
  int32_t best = 0;
  double best_distance = INFINITY;
  for (size_t i = 0; i < buckets.size(); ++i) {
    const configs::BucketSize size = *configs::ParseBucket(buckets[i]);
    const double distance =
        std::abs(log_aspect(shape.height, shape.width) - log_aspect(size.height, size.width));
    if (distance >= best_distance) continue;
    best_distance = distance;
    best = static_cast<int32_t>(i);
  }
  return best;
}

}  // namespace

DecodedImage Crop(const DecodedImage& image, const PixelBox& box) {
  DecodedImage result = image.WithoutPixels();
  result.shape.height = box.height;
  result.shape.width = box.width;
  const size_t pixel_bytes = static_cast<size_t>(image.shape.channels) * SizeOf(image.dtype);
  const size_t row = static_cast<size_t>(box.width);
  result.pixels.resize(static_cast<size_t>(box.height) * row * pixel_bytes);
  if (!image.mask.empty()) result.mask.resize(static_cast<size_t>(box.height) * row);
  for (int64_t y = 0; y < box.height; ++y) {
    const size_t from = static_cast<size_t>((box.top + y) * image.shape.width + box.left);
    const size_t to = static_cast<size_t>(y) * row;
    std::memcpy(result.pixels.data() + to * pixel_bytes, image.pixels.data() + from * pixel_bytes,
                row * pixel_bytes);
    if (!image.mask.empty()) {
      std::copy_n(image.mask.data() + from, row, result.mask.data() + to);
    }
  }
  return result;
}

absl::Status ApplyGeometry(const DecodedImage& image, const GeometryConfig& config,
                           const GeometrySink& sink) {
  if (!config.buckets.empty()) {
    const int32_t bucket = NearestBucket(image.shape, config.buckets);
    const configs::BucketSize size =
        *configs::ParseBucket(config.buckets[static_cast<size_t>(bucket)]);
    return Fit(image, config, size.height, size.width, bucket, sink);
  }
  if (config.tile_stride > 0) return CutTiles(image, config, sink);
  if (config.height == 0) return sink(image, 0);
  return Fit(image, config, config.height, config.width, 0, sink);
}

}  // namespace langevin::data
