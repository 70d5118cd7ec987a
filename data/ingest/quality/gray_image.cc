#include "data/ingest/quality/gray_image.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace langevin::data {

BrightnessRange RangeOf(const DecodedImage& image) {
  if (image.dtype != DType::kFloat32) return {.black = 0, .white = std::ldexp(1, image.bits) - 1};
  double low = std::numeric_limits<double>::infinity(), high = -low;
  VisitNumbers(image, [&](int64_t, double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  });
  if (low >= 0 && high <= 1) return {.black = 0, .white = 1};
  if (low >= -1 && high <= 1) return {.black = -1, .white = 1};
  if (low > high) return {.black = 0, .white = 1};
  return {.black = low, .white = high > low ? high : low + 1, .is_known = false};
}

namespace {

// sums[i] += each channel's brightness times its weight.
template <typename T>
void AddChannels(const T* numbers, int64_t channels, const BrightnessRange& range,
                 std::vector<float>& sums) {
  constexpr std::array kLuma = {0.299f, 0.587f, 0.114f};
  const float each = 1.0f / static_cast<float>(channels);
  const double scale = 1 / (range.white - range.black);
  const auto computed = [&](T number) {
    return static_cast<float>((static_cast<double>(number) - range.black) * scale);
  };
  // Of bytes there are few, so each is computed once.
  std::array<float, 256> table;
  if constexpr (sizeof(T) == 1) {
    for (size_t value = 0; value < table.size(); ++value) {
      table[value] = computed(static_cast<T>(value));
    }
  }
  const auto brightness = [&](T number) {
    if constexpr (sizeof(T) == 1) {
      return table[number];
    } else {
      return computed(number);
    }
  };
  if (channels == 1) {
    for (size_t i = 0; i < sums.size(); ++i) sums[i] = brightness(numbers[i]);
  } else if (channels == 3) {
    for (size_t i = 0; i < sums.size(); ++i) {
      sums[i] = kLuma[0] * brightness(numbers[3 * i]) + kLuma[1] * brightness(numbers[3 * i + 1]) +
                kLuma[2] * brightness(numbers[3 * i + 2]);
    }
  } else {
    for (float& sum : sums) {
      for (int64_t c = 0; c < channels; ++c) sum += each * brightness(*numbers++);
    }
  }
}

}  // namespace

GrayImage ToGray(const DecodedImage& image, const BrightnessRange& range) {
  const int64_t channels = image.shape.channels;
  const size_t pixels = static_cast<size_t>(image.shape.height * image.shape.width);
  GrayImage gray = {.height = image.shape.height,
                    .width = image.shape.width,
                    .values = std::vector<float>(pixels),
                    .valid = image.mask};
  if (gray.valid.empty()) gray.valid.assign(pixels, 1);

  switch (image.dtype) {
    case DType::kUint8:
      AddChannels(reinterpret_cast<const uint8_t*>(image.pixels.data()), channels, range,
                  gray.values);
      break;
    case DType::kUint16:
      AddChannels(reinterpret_cast<const uint16_t*>(image.pixels.data()), channels, range,
                  gray.values);
      break;
    default:
      AddChannels(reinterpret_cast<const float*>(image.pixels.data()), channels, range,
                  gray.values);
  }

  double sum = 0;
  for (size_t i = 0; i < pixels; ++i) {
    gray.valid[i] = gray.valid[i] != 0 && std::isfinite(gray.values[i]);
    if (gray.valid[i] == 0) continue;
    sum += gray.values[i];
    ++gray.valid_count;
  }
  if (gray.valid_count == static_cast<int64_t>(pixels)) return gray;
  const float mean =
      gray.valid_count > 0 ? static_cast<float>(sum / static_cast<double>(gray.valid_count)) : 0;
  for (size_t i = 0; i < pixels; ++i) {
    if (gray.valid[i] == 0) gray.values[i] = mean;
  }
  return gray;
}

GrayImage ShrinkTo(GrayImage image, int64_t side) {
  if (image.height <= side && image.width <= side) return image;
  const int64_t height = std::min(image.height, side), width = std::min(image.width, side);
  GrayImage small = {.height = height,
                     .width = width,
                     .values = std::vector<float>(static_cast<size_t>(height * width)),
                     .valid = std::vector<uint8_t>(static_cast<size_t>(height * width))};
  for (int64_t y = 0; y < height; ++y) {
    const int64_t top = y * image.height / height, bottom = (y + 1) * image.height / height;
    for (int64_t x = 0; x < width; ++x) {
      const int64_t left = x * image.width / width, right = (x + 1) * image.width / width;
      float sum = 0;
      int64_t valid = 0;
      for (int64_t row = top; row < bottom; ++row) {
        for (int64_t column = left; column < right; ++column) {
          sum += image.At(row, column);
          valid += image.valid[static_cast<size_t>(row * image.width + column)];
        }
      }
      const int64_t cell = (bottom - top) * (right - left);
      const size_t place = static_cast<size_t>(y * width + x);
      small.values[place] = sum / static_cast<float>(cell);
      small.valid[place] = 2 * valid >= cell;
      small.valid_count += small.valid[place];
    }
  }
  return small;
}

float BorderMedian(const GrayImage& image) {
  std::vector<float> border;
  const auto add = [&](int64_t y, int64_t x) {
    if (image.valid[static_cast<size_t>(y * image.width + x)] != 0)
      border.push_back(image.At(y, x));
  };
  for (int64_t x = 0; x < image.width; ++x) {
    add(0, x);
    add(image.height - 1, x);
  }
  for (int64_t y = 1; y + 1 < image.height; ++y) {
    add(y, 0);
    add(y, image.width - 1);
  }
  if (border.empty()) return image.values.empty() ? 0 : image.values.front();
  const auto middle = border.begin() + static_cast<std::ptrdiff_t>(border.size() / 2);
  std::nth_element(border.begin(), middle, border.end());
  return *middle;
}

}  // namespace langevin::data
