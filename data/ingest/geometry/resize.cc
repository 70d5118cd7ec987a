#include "data/ingest/geometry/resize.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <tuple>
#include <vector>

namespace langevin::data {
namespace {

using configs::ResizeFilter;

double Sinc(double x) {
  if (x == 0) return 1;
  const double angle = x * std::numbers::pi;
  return std::sin(angle) / angle;
}

double SupportOf(ResizeFilter filter) { return filter == ResizeFilter::kLanczos ? 3 : 1; }

double FilterAt(ResizeFilter filter, double x) {
  x = std::abs(x);
  if (filter == ResizeFilter::kTriangle) return x < 1 ? 1 - x : 0;
  return x < 3 ? Sinc(x) * Sinc(x / 3) : 0;
}

// For each output place along one direction: the first input place and the weights from there on,
// which sum to 1.
struct Taps {
  struct Place {
    int64_t first = 0;
    size_t weights_begin = 0, weights_end = 0;
  };
  std::vector<Place> places;
  std::vector<float> weights;
};

Taps ComputeTaps(int64_t input, int64_t output, ResizeFilter filter) {
  const double scale = static_cast<double>(input) / static_cast<double>(output);
  const double stretch = std::max(scale, 1.0);
  const double support = SupportOf(filter) * stretch;
  Taps taps;
  std::vector<double> weights;
  for (int64_t i = 0; i < output; ++i) {
    const double center = (static_cast<double>(i) + 0.5) * scale;
    const int64_t first = std::max<int64_t>(0, static_cast<int64_t>(center - support + 0.5));
    const int64_t end = std::min(input, static_cast<int64_t>(center + support + 0.5));
    weights.clear();
    double sum = 0;
    for (int64_t k = first; k < end; ++k) {
      weights.push_back(FilterAt(filter, (static_cast<double>(k) - center + 0.5) / stretch));
      sum += weights.back();
    }
    const size_t begin = taps.weights.size();
    for (const double weight : weights) taps.weights.push_back(static_cast<float>(weight / sum));
    taps.places.push_back({first, begin, taps.weights.size()});
  }
  return taps;
}

// Images of one size come many at a time, and Lanczos' sines take as long as a small image.
const Taps& TapsFor(int64_t input, int64_t output, ResizeFilter filter) {
  using Key = std::tuple<int64_t, int64_t, ResizeFilter>;
  constexpr size_t kMost = 64;
  thread_local std::map<Key, Taps> known;
  const Key key(input, output, filter);
  if (const auto found = known.find(key); found != known.end()) return found->second;
  if (known.size() >= kMost) known.clear();
  return known.emplace(key, ComputeTaps(input, output, filter)).first->second;
}

// sums += weight * row, for each type that pixels have: functions of their own, since clones for
// several processors cannot be made of templates. All give the same bits.
#define LANGEVIN_CLONES __attribute__((target_clones("arch=skylake-avx512", "avx2", "default")))
LANGEVIN_CLONES void AddRow(const uint8_t* __restrict row, float weight, int64_t count,
                            float* __restrict sums) {
  for (int64_t x = 0; x < count; ++x) sums[x] += weight * static_cast<float>(row[x]);
}
LANGEVIN_CLONES void AddRow(const uint16_t* __restrict row, float weight, int64_t count,
                            float* __restrict sums) {
  for (int64_t x = 0; x < count; ++x) sums[x] += weight * static_cast<float>(row[x]);
}
LANGEVIN_CLONES void AddRow(const float* __restrict row, float weight, int64_t count,
                            float* __restrict sums) {
  for (int64_t x = 0; x < count; ++x) sums[x] += weight * row[x];
}
#undef LANGEVIN_CLONES

// Each output row the weighted sum of some input rows. `stride` is the number of values from one
// row to the next.
template <typename T>
std::vector<float> ResizeRows(const T* pixels, int64_t stride, int64_t row_values,
                              const Taps& taps) {
  std::vector<float> result(taps.places.size() * static_cast<size_t>(row_values));
  float* sums = result.data();
  for (const Taps::Place& place : taps.places) {
    const T* row = pixels + place.first * stride;
    for (size_t k = place.weights_begin; k < place.weights_end; ++k, row += stride) {
      AddRow(row, taps.weights[k], row_values, sums);
    }
    sums += row_values;
  }
  return result;
}

// (rows, columns, channels) to (columns, rows, channels).
std::vector<float> Transposed(const std::vector<float>& values, int64_t rows, int64_t columns,
                              int64_t channels) {
  std::vector<float> result(values.size());
  // By blocks that both sides have in the cache.
  constexpr int64_t kBlock = 16;
  for (int64_t top = 0; top < rows; top += kBlock) {
    for (int64_t left = 0; left < columns; left += kBlock) {
      for (int64_t y = top; y < std::min(rows, top + kBlock); ++y) {
        for (int64_t x = left; x < std::min(columns, left + kBlock); ++x) {
          const float* const from = values.data() + (y * columns + x) * channels;
          float* const to = result.data() + (x * rows + y) * channels;
          for (int64_t c = 0; c < channels; ++c) to[c] = from[c];
        }
      }
    }
  }
  return result;
}

// From the box of an interleaved image to (height, width, channels) floats. Both ways are sums of
// rows, which are long and contiguous.
template <typename T>
std::vector<float> ResizePlane(const T* pixels, int64_t image_width, int64_t channels,
                               const PixelBox& box, const Taps& vertical, const Taps& horizontal) {
  const int64_t stride = image_width * channels;
  const int64_t height = static_cast<int64_t>(vertical.places.size());
  const int64_t width = static_cast<int64_t>(horizontal.places.size());
  std::vector<float> values = ResizeRows(pixels + box.top * stride + box.left * channels, stride,
                                         box.width * channels, vertical);
  values = Transposed(values, height, box.width, channels);
  values = ResizeRows(values.data(), height * channels, height * channels, horizontal);
  return Transposed(values, width, height, channels);
}

template <typename T>
void Store(const std::vector<float>& values, float largest, std::vector<std::byte>& pixels) {
  pixels.resize(values.size() * sizeof(T));
  T* const out = reinterpret_cast<T*>(pixels.data());
  for (size_t i = 0; i < values.size(); ++i) {
    if constexpr (std::is_same_v<T, float>) {
      out[i] = values[i];
    } else {
      out[i] = static_cast<T>(std::clamp(values[i], 0.0f, largest) + 0.5f);
    }
  }
}

// The mask of an image, pixels that are not finite included; empty if all are valid.
template <typename T>
std::vector<uint8_t> ValidPixels(const DecodedImage& image, const T* pixels) {
  std::vector<uint8_t> valid = image.mask;
  if constexpr (std::is_same_v<T, float>) {
    const int64_t channels = image.shape.channels;
    for (int64_t i = 0; i < image.shape.values(); ++i) {
      if (std::isfinite(pixels[i])) continue;
      if (valid.empty()) {
        valid.assign(static_cast<size_t>(image.shape.height * image.shape.width), 1);
      }
      valid[static_cast<size_t>(i / channels)] = 0;
    }
  }
  return valid;
}

template <typename T>
void ResizeTo(const DecodedImage& image, const PixelBox& box, ResizeFilter filter,
              DecodedImage& result) {
  const T* const pixels = reinterpret_cast<const T*>(image.pixels.data());
  const int64_t channels = image.shape.channels;
  const Taps vertical = TapsFor(box.height, result.shape.height, filter);
  const Taps horizontal = TapsFor(box.width, result.shape.width, filter);
  const float largest = static_cast<float>(std::ldexp(1, image.bits) - 1);
  const std::vector<uint8_t> valid = ValidPixels(image, pixels);
  if (valid.empty()) {
    Store<T>(ResizePlane(pixels, image.shape.width, channels, box, vertical, horizontal), largest,
             result.pixels);
    return;
  }
  // Weighted by validity: pixels and mask are resampled alike, then divided.
  std::vector<float> weighted(static_cast<size_t>(image.shape.values()));
  for (size_t i = 0; i < weighted.size(); ++i) {
    weighted[i] = valid[i / static_cast<size_t>(channels)] != 0 ? static_cast<float>(pixels[i]) : 0;
  }
  std::vector<float> values =
      ResizePlane(weighted.data(), image.shape.width, channels, box, vertical, horizontal);
  const std::vector<float> weights =
      ResizePlane(valid.data(), image.shape.width, 1, box, vertical, horizontal);
  result.mask.resize(weights.size());
  for (size_t i = 0; i < weights.size(); ++i) {
    result.mask[i] = weights[i] >= 0.5f ? 1 : 0;
    for (size_t c = 0; c < static_cast<size_t>(channels); ++c) {
      float& value = values[i * static_cast<size_t>(channels) + c];
      value = result.mask[i] != 0 ? value / weights[i] : 0;
    }
  }
  Store<T>(values, largest, result.pixels);
}

}  // namespace

DecodedImage Resize(const DecodedImage& image, const PixelBox& box, int64_t height, int64_t width,
                    ResizeFilter filter) {
  DecodedImage result = image.WithoutPixels();
  result.shape.height = height;
  result.shape.width = width;
  switch (image.dtype) {
    case DType::kUint8:
      ResizeTo<uint8_t>(image, box, filter, result);
      break;
    case DType::kUint16:
      ResizeTo<uint16_t>(image, box, filter, result);
      break;
    default:
      ResizeTo<float>(image, box, filter, result);
  }
  return result;
}

}  // namespace langevin::data
