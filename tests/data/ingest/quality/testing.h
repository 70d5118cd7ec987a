// Images whose measures are known, for the tests of quality/.
#ifndef LANGEVIN_TESTS_DATA_INGEST_QUALITY_TESTING_H_
#define LANGEVIN_TESTS_DATA_INGEST_QUALITY_TESTING_H_

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

#include "core/base/philox.h"
#include "data/ingest/decoded_image.h"

namespace langevin::data {

using PixelFunction = std::function<double(int64_t y, int64_t x)>;

// One channel of 8 bits; values are rounded and clamped.
inline DecodedImage GrayOf(int64_t height, int64_t width, const PixelFunction& value) {
  DecodedImage image = {.shape = {height, width, 1}};
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      image.pixels.push_back(
          static_cast<std::byte>(std::lround(std::clamp(value(y, x), 0.0, 255.0))));
    }
  }
  return image;
}

// One channel of float32.
inline DecodedImage FloatOf(int64_t height, int64_t width, const PixelFunction& value) {
  DecodedImage image = {.shape = {height, width, 1}, .dtype = DType::kFloat32, .bits = 32};
  image.pixels.resize(static_cast<size_t>(height * width) * sizeof(float));
  for (int64_t i = 0; i < height * width; ++i) {
    const float number = static_cast<float>(value(i / width, i % width));
    std::memcpy(image.pixels.data() + i * sizeof(float), &number, sizeof(number));
  }
  return image;
}

inline float FloatAt(const DecodedImage& image, int64_t index) {
  float value;
  std::memcpy(&value, image.pixels.data() + index * sizeof(float), sizeof(value));
  return value;
}

// A scene of five discs on black, 28 x 28, which `seed` picks; moved by (down, across).
inline DecodedImage Scene(uint64_t seed, int64_t down = 0, int64_t across = 0, double gain = 1) {
  struct Blob {
    double y, x, radius, height;
  };
  std::vector<Blob> blobs;
  for (uint64_t i = 0; i < 5; ++i) {
    const RandomStream stream(seed, i, RandomPurpose::kInitialSample);
    const auto draw = [&stream](uint32_t j) -> double { return stream.Uniform(j); };
    blobs.push_back({8 + 12 * draw(0), 8 + 12 * draw(1), 1.5 + 2.5 * draw(2), 60 + 140 * draw(3)});
  }
  return GrayOf(28, 28, [&](int64_t y, int64_t x) {
    double value = 0;
    for (const Blob& blob : blobs) {
      const double dy = static_cast<double>(y - down) - blob.y;
      const double dx = static_cast<double>(x - across) - blob.x;
      if (dy * dy + dx * dx <= blob.radius * blob.radius) value += blob.height;
    }
    return gain * value;
  });
}

}  // namespace langevin::data

#endif  // LANGEVIN_TESTS_DATA_INGEST_QUALITY_TESTING_H_
