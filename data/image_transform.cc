#include "data/image_transform.h"

#include <algorithm>
#include <cassert>
#include <cmath>

#include "core/base/philox.h"
#include "data/warp.h"

namespace langevin::data {
namespace {

using kernels::Direction;
using kernels::LinearMap;
using kernels::Store;

int32_t LargestStored(DType dtype) {
  switch (dtype) {
    case DType::kUint8:
      return (1 << 8) - 1;
    case DType::kUint16:
      return (1 << 16) - 1;
    default:
      return 0;
  }
}

// Rows are split into channels in pieces that stay in the first cache.
constexpr int64_t kPieceNumbers = 6144;

// The image, or some rows of it, or a part of one row, as `kernel` takes it.
template <typename Type>
class Converter {
 public:
  Converter(const ImageShape& shape, const LinearMap& map, Store store, float* out)
      : shape_(shape), map_(map), store_(store), out_(out) {}

  void Convert(const Type* in, bool mirror_x, bool mirror_y) {
    const Direction direction = mirror_x ? Direction::kMirrored : Direction::kForward;
    const int64_t row_numbers = shape_.width * shape_.channels;
    if (row_numbers > kPieceNumbers) return ConvertWideRows(in, direction, mirror_y);
    const int64_t rows_at_once = mirror_y ? 1 : kPieceNumbers / row_numbers;
    for (int64_t y = 0; y < shape_.height; y += rows_at_once) {
      const int64_t rows = std::min(rows_at_once, shape_.height - y);
      const int64_t from = mirror_y ? shape_.height - 1 - y : y;
      ConvertRows(in + from * row_numbers, rows, shape_.width, direction, out_ + y * shape_.width);
    }
  }

 private:
  void ConvertRows(const Type* in, int64_t rows, int64_t width, Direction direction, float* out) {
    if (shape_.channels == 1) {
      return Kernel().map_rows(in, rows, width, map_, direction, store_, out);
    }
    Kernel().split_channels(in, rows * width, shape_.channels, planes_);
    for (int64_t c = 0; c < shape_.channels; ++c) {
      Kernel().map_rows(planes_ + c * rows * width, rows, width, map_, direction, store_,
                        out + c * shape_.height * shape_.width);
    }
  }

  // Rows that do not fit into a piece, by parts.
  void ConvertWideRows(const Type* in, Direction direction, bool mirror_y) {
    const bool mirror_x = direction == Direction::kMirrored;
    // More channels than a piece holds are taken number by number.
    const bool fits = shape_.channels <= kPieceNumbers;
    const int64_t part = fits ? std::max<int64_t>(8, kPieceNumbers / shape_.channels / 8 * 8) : 1;
    for (int64_t y = 0; y < shape_.height; ++y) {
      const Type* const row =
          in + (mirror_y ? shape_.height - 1 - y : y) * shape_.width * shape_.channels;
      for (int64_t x = 0; x < shape_.width; x += part) {
        const int64_t count = std::min(part, shape_.width - x);
        float* const out = out_ + y * shape_.width + (mirror_x ? shape_.width - x - count : x);
        const Type* const from = row + x * shape_.channels;
        if (fits && count * shape_.channels <= kPieceNumbers) {
          ConvertRows(from, 1, count, direction, out);
          continue;
        }
        for (int64_t i = 0; i < count * shape_.channels; ++i) {
          const int64_t pixel = i / shape_.channels;
          Kernel().map_rows(from + i, 1, 1, map_, direction, Store::kCached,
                            out + i % shape_.channels * shape_.height * shape_.width +
                                (mirror_x ? count - 1 - pixel : pixel));
        }
      }
    }
  }

  static const kernels::Kernels<Type>& Kernel() {
    static const kernels::Kernels<Type> kernel = kernels::BestKernels<Type>();
    return kernel;
  }

  const ImageShape& shape_;
  const LinearMap& map_;
  const Store store_;
  float* const out_;
  alignas(32) Type planes_[kPieceNumbers];
};

void CopyMask(std::span<const uint8_t> mask, const PlaneSize& size, const Affine& source,
              std::span<uint8_t> out) {
  if (mask.empty()) {
    std::fill(out.begin(), out.end(), uint8_t{1});
  } else if (source == Affine{}) {
    std::copy(mask.begin(), mask.end(), out.begin());
  } else if (source.KeepsPixels()) {
    MovePixels<uint8_t>(mask, size, source, out);
  } else {
    WarpNearest(mask, size, source, out);
  }
}

}  // namespace

ImageTransform::ImageTransform(const ImageShape& shape, DType dtype, const IntensityMap& map,
                               uint64_t seed, const configs::AugmentConfig& augment, Store store)
    : shape_(shape),
      dtype_(dtype),
      map_(kernels::MakeLinearMap(map.scale, map.offset, LargestStored(dtype))),
      clips_(std::isfinite(map.clip_low) || std::isfinite(map.clip_high)),
      clip_low_(static_cast<float>((map.scale > 0 ? map.clip_low : map.clip_high) * map.scale +
                                   map.offset)),
      clip_high_(static_cast<float>((map.scale > 0 ? map.clip_high : map.clip_low) * map.scale +
                                    map.offset)),
      seed_(seed),
      augment_(augment),
      // What is clipped is read again at once.
      store_(clips_ ? Store::kCached : store) {}

void ImageTransform::Convert(std::span<const std::byte> stored, bool mirror_x, bool mirror_y,
                             Store store, std::span<float> out) const {
  const auto convert = [&]<typename Type>(const Type* in) {
    Converter<Type>(shape_, map_, store, out.data()).Convert(in, mirror_x, mirror_y);
  };
  switch (dtype_) {
    case DType::kUint8:
      convert(reinterpret_cast<const uint8_t*>(stored.data()));
      break;
    case DType::kUint16:
      convert(reinterpret_cast<const uint16_t*>(stored.data()));
      break;
    default:
      convert(reinterpret_cast<const float*>(stored.data()));
  }
  if (!clips_) return;
  for (float& value : out) value = std::clamp(value, clip_low_, clip_high_);
}

void ImageTransform::Apply(int64_t position, std::span<const std::byte> stored,
                           std::span<const uint8_t> mask, const Output& output,
                           Scratch& scratch) const {
  assert(static_cast<int64_t>(output.image.size()) == shape_.values());
  const DrawnAugmentation drawn = DrawAugmentation(augment_, shape_, seed_, position);
  const PlaneSize size = {.height = shape_.height, .width = shape_.width};
  if (drawn.source.OnlyMirrors()) {
    Convert(stored, drawn.source.xx < 0, drawn.source.yy < 0, store_, output.image);
  } else {
    scratch.planes.resize(output.image.size());
    Convert(stored, false, false, Store::kCached, scratch.planes);
    if (drawn.source.KeepsPixels()) {
      const auto values = static_cast<size_t>(shape_.height * shape_.width);
      for (size_t begin = 0; begin < scratch.planes.size(); begin += values) {
        MovePixels<float>(std::span(scratch.planes).subspan(begin, values), size, drawn.source,
                          output.image.subspan(begin, values));
      }
    } else {
      WarpBySplines(scratch.planes, size, drawn.source, output.image);
    }
  }
  if (drawn.gain != 1 || drawn.shift != 0) {
    for (float& value : output.image) value = value * drawn.gain + drawn.shift;
  }
  if (drawn.noise > 0) {
    scratch.noise.resize(output.image.size());
    RandomStream(seed_, static_cast<uint64_t>(position), RandomPurpose::kAugmentation,
                 static_cast<uint32_t>(Augmentation::kNoise))
        .FillNormal(scratch.noise);
    for (size_t i = 0; i < output.image.size(); ++i) {
      output.image[i] += drawn.noise * scratch.noise[i];
    }
  }
  if (!output.mask.empty()) CopyMask(mask, size, drawn.source, output.mask);
  if (!output.augment_labels.empty()) {
    std::copy(drawn.labels.begin(), drawn.labels.end(), output.augment_labels.begin());
  }
}

}  // namespace langevin::data
