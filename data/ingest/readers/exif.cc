#include "data/ingest/readers/exif.h"

#include <cstddef>
#include <cstring>

namespace langevin::data {

int OrientationOfExif(std::span<const uint8_t> app1) {
  constexpr size_t kNameBytes = 6;
  if (app1.size() < kNameBytes + 8 || std::memcmp(app1.data(), "Exif\0", kNameBytes - 1) != 0) {
    return 1;
  }
  const std::span<const uint8_t> tiff = app1.subspan(kNameBytes);
  const bool is_little = tiff[0] == 'I';
  const auto number = [&](size_t at, size_t bytes) {
    uint32_t value = 0;
    for (size_t i = 0; i < bytes; ++i) {
      value = value << 8 | tiff[is_little ? at + bytes - 1 - i : at + i];
    }
    return value;
  };
  const size_t directory = number(4, 4);
  if (directory > tiff.size() - 2) return 1;
  const size_t entries = number(directory, 2);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + 12 * i;
    if (entry + 12 > tiff.size()) return 1;
    if (number(entry, 2) != 0x0112) continue;
    const uint32_t orientation = number(entry + 8, 2);
    return orientation >= 1 && orientation <= 8 ? static_cast<int>(orientation) : 1;
  }
  return 1;
}

}  // namespace langevin::data
