#include "data/ingest/geometry/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
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

// Functions that go over every number of every image: once for each generation of processors. All
// give the same bits. Clones cannot be made of templates.
#define LANGEVIN_CLONES __attribute__((target_clones("arch=skylake-avx512", "avx2", "default")))

// Pixels are summed a strip at a time: this many numbers of each row, side by side in memory, so
// that a sum stays in registers from its first weight to its last.
constexpr int64_t kStrip = 64;
constexpr int64_t kLanes = 8;
using Lanes = float __attribute__((vector_size(kLanes * sizeof(float)), aligned(sizeof(float))));

// sums = the weighted sum of `count` rows of a strip, one after the other. `stride` is the number
// of values from one row to the next.
LANGEVIN_CLONES void SumRows(const float* row, int64_t stride, const float* weights, int64_t count,
                             float* sums) {
  static_assert(kStrip == 8 * kLanes);
  Lanes s0 = {}, s1 = {}, s2 = {}, s3 = {}, s4 = {}, s5 = {}, s6 = {}, s7 = {};
  for (int64_t k = 0; k < count; ++k, row += stride) {
    const Lanes* const values = reinterpret_cast<const Lanes*>(row);
    s0 += weights[k] * values[0];
    s1 += weights[k] * values[1];
    s2 += weights[k] * values[2];
    s3 += weights[k] * values[3];
    s4 += weights[k] * values[4];
    s5 += weights[k] * values[5];
    s6 += weights[k] * values[6];
    s7 += weights[k] * values[7];
  }
  Lanes* const out = reinterpret_cast<Lanes*>(sums);
  out[0] = s0;
  out[1] = s1;
  out[2] = s2;
  out[3] = s3;
  out[4] = s4;
  out[5] = s5;
  out[6] = s6;
  out[7] = s7;
}

// The first `width` numbers of each of `count` rows as a strip; what is beyond them is left as is.
#define LANGEVIN_LOAD_STRIP(T)                                                               \
  LANGEVIN_CLONES void LoadStrip(const T* row, int64_t stride, int64_t count, int64_t width, \
                                 float* __restrict strip) {                                  \
    for (; count > 0; --count, row += stride, strip += kStrip) {                             \
      for (int64_t i = 0; i < width; ++i) strip[i] = static_cast<float>(row[i]);             \
    }                                                                                        \
  }
LANGEVIN_LOAD_STRIP(uint8_t)
LANGEVIN_LOAD_STRIP(uint16_t)
LANGEVIN_LOAD_STRIP(float)
#undef LANGEVIN_LOAD_STRIP
#undef LANGEVIN_CLONES

// Rows of floats, each followed by enough room for whole strips. An odd number of cache lines a
// row: columns are walked down, and rows a power of two apart would share few places in the cache.
struct Plane {
  Plane(int64_t rows, int64_t row_values)
      : rows(rows), stride((row_values + kStrip - 1) / kStrip * kStrip + 16) {
    values = std::make_unique_for_overwrite<float[]>(static_cast<size_t>(rows * stride));
  }
  float* Row(int64_t y) const { return values.get() + y * stride; }

  int64_t rows, stride;
  std::unique_ptr<float[]> values;
};

// Each output row the weighted sum of some input rows. `stride` is the number of values from one
// input row to the next.
template <typename T>
Plane ResizeRows(const T* pixels, int64_t stride, int64_t rows, int64_t row_values,
                 const Taps& taps) {
  Plane result(static_cast<int64_t>(taps.places.size()), row_values);
  std::vector<float> strip(static_cast<size_t>(rows * kStrip));
  for (int64_t left = 0; left < row_values; left += kStrip) {
    LoadStrip(pixels + left, stride, rows, std::min(kStrip, row_values - left), strip.data());
    float* out = result.Row(0) + left;
    for (const Taps::Place& place : taps.places) {
      SumRows(strip.data() + place.first * kStrip, kStrip, &taps.weights[place.weights_begin],
              static_cast<int64_t>(place.weights_end - place.weights_begin), out);
      out += result.stride;
    }
  }
  return result;
}

// Rows `top` and on as a strip whose rows are their first `count` values; at the bottom the last
// row stands for those that are not there. Four by four, in registers.
void LoadTransposedStrip(const Plane& plane, int64_t top, int64_t count, float* strip) {
  using Four = float __attribute__((vector_size(4 * sizeof(float)), aligned(sizeof(float))));
  for (int64_t y = 0; y < kStrip; y += 4) {
    const float* rows[4];
    for (int64_t i = 0; i < 4; ++i) rows[i] = plane.Row(std::min(top + y + i, plane.rows - 1));
    for (int64_t x = 0; x < count; x += 4) {
      const auto load = [&](int i) { return *reinterpret_cast<const Four*>(rows[i] + x); };
      const Four a = load(0), b = load(1), c = load(2), d = load(3);
      const Four ab_left = __builtin_shufflevector(a, b, 0, 4, 1, 5);
      const Four ab_right = __builtin_shufflevector(a, b, 2, 6, 3, 7);
      const Four cd_left = __builtin_shufflevector(c, d, 0, 4, 1, 5);
      const Four cd_right = __builtin_shufflevector(c, d, 2, 6, 3, 7);
      const auto store = [&](int i, Four column) {
        *reinterpret_cast<Four*>(strip + (x + i) * kStrip + y) = column;
      };
      store(0, __builtin_shufflevector(ab_left, cd_left, 0, 1, 4, 5));
      store(1, __builtin_shufflevector(ab_left, cd_left, 2, 3, 6, 7));
      store(2, __builtin_shufflevector(ab_right, cd_right, 0, 1, 4, 5));
      store(3, __builtin_shufflevector(ab_right, cd_right, 2, 3, 6, 7));
    }
  }
}

// The same along rows of `columns` pixels, to (rows, places, channels) without gaps.
std::vector<float> ResizeColumns(const Plane& plane, int64_t columns, int64_t channels,
                                 const Taps& taps) {
  const int64_t row_values = static_cast<int64_t>(taps.places.size()) * channels;
  const int64_t strip_rows = (columns * channels + 3) / 4 * 4;
  std::vector<float> result(static_cast<size_t>(plane.rows * row_values));
  const auto strip =
      std::make_unique_for_overwrite<float[]>(static_cast<size_t>(strip_rows * kStrip));
  float sums[kStrip];
  for (int64_t top = 0; top < plane.rows; top += kStrip) {
    LoadTransposedStrip(plane, top, strip_rows, strip.get());
    const int64_t height = std::min(kStrip, plane.rows - top);
    float* out = result.data() + top * row_values;
    for (const Taps::Place& place : taps.places) {
      for (int64_t c = 0; c < channels; ++c, ++out) {
        SumRows(strip.get() + (place.first * channels + c) * kStrip, channels * kStrip,
                &taps.weights[place.weights_begin],
                static_cast<int64_t>(place.weights_end - place.weights_begin), sums);
        for (int64_t y = 0; y < height; ++y) out[y * row_values] = sums[y];
      }
    }
  }
  return result;
}

// From the box of an interleaved image to (height, width, channels) floats.
template <typename T>
std::vector<float> ResizePlane(const T* pixels, int64_t image_width, int64_t channels,
                               const PixelBox& box, const Taps& vertical, const Taps& horizontal) {
  const int64_t stride = image_width * channels;
  const Plane rows = ResizeRows(pixels + box.top * stride + box.left * channels, stride, box.height,
                                box.width * channels, vertical);
  return ResizeColumns(rows, box.width, channels, horizontal);
}

template <typename T>
void Store(const std::vector<float>& values, float largest, std::vector<std::byte>& pixels) {
  pixels.resize(values.size() * sizeof(T));
  const float* const from = values.data();
  T* const __restrict out = reinterpret_cast<T*>(pixels.data());
  const size_t count = values.size();
  for (size_t i = 0; i < count; ++i) {
    if constexpr (std::is_same_v<T, float>) {
      out[i] = from[i];
    } else {
      out[i] = static_cast<T>(std::clamp(from[i], 0.0f, largest) + 0.5f);
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
