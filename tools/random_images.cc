#include "tools/random_images.h"

#include <cstring>

#include "core/base/philox.h"

namespace langevin::tools {

RandomImages::RandomImages(const data::ImageShape& shape, int64_t num_classes)
    : shape_(shape), num_classes_(num_classes), noise_(shape.values() + kSize) {
  const RandomStream stream(/*seed=*/0, /*position=*/0, RandomPurpose::kTrainingNoise);
  for (size_t i = 0; i < noise_.size(); ++i) {
    noise_[i] = static_cast<std::byte>(stream.UniformInt(static_cast<uint32_t>(i), 256));
  }
}

absl::Status RandomImages::ReadImage(int64_t index, bool, std::span<std::byte> pixels) const {
  std::memcpy(pixels.data(), noise_.data() + index, pixels.size());
  return absl::OkStatus();
}

}  // namespace langevin::tools
