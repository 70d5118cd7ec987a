#include "data/image_transform.h"

#include <cassert>
#include <cstring>

#include "core/base/philox.h"

namespace langevin::data {
namespace {

float MapIntensity(const IntensityMap& map, double stored) {
  return static_cast<float>(stored * map.scale + map.offset);
}

// Stored is the integer or float that an image is made of; `to_model` turns one into a float.
template <typename Stored, typename ToModel>
void Transpose(const ImageShape& shape, bool mirror, std::span<const std::byte> stored,
               std::span<float> out, const ToModel& to_model) {
  float* target = out.data();
  for (int64_t channel = 0; channel < shape.channels; ++channel) {
    for (int64_t y = 0; y < shape.height; ++y) {
      const std::byte* const row =
          stored.data() + y * shape.width * shape.channels * int64_t{sizeof(Stored)};
      for (int64_t x = 0; x < shape.width; ++x) {
        const int64_t from = mirror ? shape.width - 1 - x : x;
        Stored value;
        std::memcpy(&value, row + (from * shape.channels + channel) * int64_t{sizeof(Stored)},
                    sizeof(Stored));
        *target++ = to_model(value);
      }
    }
  }
}

}  // namespace

bool DrawHorizontalFlip(uint64_t seed, int64_t position) {
  const RandomStream stream(seed, static_cast<uint64_t>(position), RandomPurpose::kAugmentation,
                            static_cast<uint32_t>(Augmentation::kHorizontalFlip));
  return stream.Uniform(0) < 0.5f;
}

ImageTransform::ImageTransform(const ImageShape& shape, DType dtype, const IntensityMap& map,
                               uint64_t seed, const configs::AugmentConfig& augment)
    : shape_(shape), dtype_(dtype), map_(map), seed_(seed), augment_(augment) {
  if (dtype == DType::kFloat32) return;
  table_.resize(dtype == DType::kUint8 ? 1 << 8 : 1 << 16);
  for (size_t i = 0; i < table_.size(); ++i) {
    table_[i] = MapIntensity(map, static_cast<double>(i));
  }
}

void ImageTransform::Apply(int64_t position, std::span<const std::byte> stored,
                           std::span<float> out) const {
  assert(static_cast<int64_t>(out.size()) == shape_.values());
  const bool mirror = augment_.horizontal_flip && DrawHorizontalFlip(seed_, position);
  const auto look_up = [this](auto value) { return table_[value]; };
  const auto map = [this](float value) { return MapIntensity(map_, value); };
  switch (dtype_) {
    case DType::kUint8:
      return Transpose<uint8_t>(shape_, mirror, stored, out, look_up);
    case DType::kUint16:
      return Transpose<uint16_t>(shape_, mirror, stored, out, look_up);
    default:
      return Transpose<float>(shape_, mirror, stored, out, map);
  }
}

}  // namespace langevin::data
