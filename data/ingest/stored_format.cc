#include "data/ingest/stored_format.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace langevin::data {
namespace {

bool IsPhysical(const StoredFormat& format) { return format.physical != PhysicalUnits{}; }

// The value of number `index` as stored.
double NumberAt(DType dtype, const std::byte* pixels, size_t index) {
  if (dtype == DType::kUint8) return std::to_integer<int>(pixels[index]);
  if (dtype == DType::kUint16) {
    uint16_t value;
    std::memcpy(&value, pixels + 2 * index, sizeof(value));
    return value;
  }
  float value;
  std::memcpy(&value, pixels + 4 * index, sizeof(value));
  return static_cast<double>(value);
}

}  // namespace

std::optional<StoredFormat> CommonFormat(std::span<const StoredFormat> formats) {
  const StoredFormat& first = formats.front();
  if (std::all_of(formats.begin(), formats.end(),
                  [&first](const StoredFormat& format) { return format == first; })) {
    return first;
  }
  if (std::none_of(formats.begin(), formats.end(), IsPhysical)) return std::nullopt;
  bool integers = true;
  double lowest = first.physical.offset;
  for (const StoredFormat& format : formats) {
    if (format.physical.unit != first.physical.unit) return std::nullopt;
    integers = integers && format.dtype != DType::kFloat32 &&
               format.physical.scale == first.physical.scale && first.physical.scale > 0;
    lowest = std::min(lowest, format.physical.offset);
  }
  StoredFormat common = {.dtype = DType::kUint16, .bits = 1, .physical = first.physical};
  common.physical.offset = lowest;
  double largest = 0;
  for (const StoredFormat& format : formats) {
    const double shift = (format.physical.offset - lowest) / first.physical.scale;
    integers = integers && shift == std::floor(shift);
    largest = std::max(largest, shift + std::ldexp(1, format.bits) - 1);
  }
  if (integers && largest <= 65535) {
    while (std::ldexp(1, common.bits) - 1 < largest) ++common.bits;
    return common;
  }
  return StoredFormat{
      .dtype = DType::kFloat32, .bits = 32, .physical = {.unit = first.physical.unit}};
}

void ConvertPixels(const StoredFormat& from, const StoredFormat& to,
                   std::vector<std::byte>& pixels) {
  if (from == to || (from.dtype == to.dtype && from.physical == to.physical)) return;
  const size_t count = pixels.size() / SizeOf(from.dtype);
  std::vector<std::byte> result(count * SizeOf(to.dtype));
  if (to.dtype == DType::kFloat32) {
    for (size_t i = 0; i < count; ++i) {
      const float value = static_cast<float>(
          NumberAt(from.dtype, pixels.data(), i) * from.physical.scale + from.physical.offset);
      std::memcpy(result.data() + 4 * i, &value, sizeof(value));
    }
  } else {
    const double shift = (from.physical.offset - to.physical.offset) / to.physical.scale;
    for (size_t i = 0; i < count; ++i) {
      const uint16_t value = static_cast<uint16_t>(NumberAt(from.dtype, pixels.data(), i) + shift);
      std::memcpy(result.data() + 2 * i, &value, sizeof(value));
    }
  }
  pixels = std::move(result);
}

}  // namespace langevin::data
