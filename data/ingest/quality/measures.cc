#include "data/ingest/quality/measures.h"

#include <algorithm>

#include "core/base/digest.h"

namespace langevin::data {

Measures Measure(const DecodedImage& image) {
  Measures measures;
  Digest digest;
  digest.UpdateInteger(static_cast<uint64_t>(image.shape.height));
  digest.UpdateInteger(static_cast<uint64_t>(image.shape.width));
  digest.UpdateInteger(static_cast<uint64_t>(image.shape.channels));
  digest.UpdateInteger(static_cast<uint64_t>(image.dtype));
  digest.Update(image.pixels);
  const std::string hex = digest.Hex();
  for (size_t half = 0; half < 2; ++half) {
    measures.exact_hash[half] = std::stoull(hex.substr(16 * half, 16), nullptr, 16);
  }
  return measures;
}

}  // namespace langevin::data
