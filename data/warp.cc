#include "data/warp.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

namespace langevin::data {
namespace {

// More points than this along a side of a pixel are not worth their time.
constexpr int kMostPoints = 4;
// The pole of the cubic B-spline's inverse filter: sqrt(3) - 2.
constexpr float kPole = -0.26794919243112270f;
// Powers of the pole beyond this are below a float's precision.
constexpr int64_t kReach = 16;

// The pixel that stands at `index` when the image goes on as its mirror image.
int64_t Reflect(int64_t index, int64_t size) {
  if (index >= 0 && index < size) return index;
  if (size == 1) return 0;
  const int64_t period = 2 * size - 2;
  index %= period;
  if (index < 0) index += period;
  return index < size ? index : period - index;
}

// In place: numbers at distances of `stride` to the coefficients of the spline through them.
void ToCoefficients(float* values, int64_t count, int64_t stride) {
  if (count == 1) return;
  constexpr float kGain = 6;  // (1 - z) (1 - 1 / z).
  // The causal filter's beginning: the sum over the mirrored values before it.
  float sum = values[0], power = kPole;
  for (int64_t i = 1; i <= kReach; ++i, power *= kPole) {
    sum += power * values[Reflect(i, count) * stride];
  }
  float last = values[0] = kGain * sum;
  for (int64_t i = 1; i < count; ++i) {
    last = values[i * stride] = kGain * values[i * stride] + kPole * last;
  }
  const float before = values[(count - 2) * stride];
  last = values[(count - 1) * stride] = kPole / (kPole * kPole - 1) * (last + kPole * before);
  for (int64_t i = count - 2; i >= 0; --i) {
    last = values[i * stride] = kPole * (last - values[i * stride]);
  }
}

// The four coefficients that a coordinate rests on, and their weights.
struct Taps {
  std::array<int64_t, 4> index;
  std::array<float, 4> weight;
};

Taps TapsAt(double coordinate, int64_t size) {
  const double whole = std::floor(coordinate);
  const auto first = static_cast<int64_t>(whole) - 1;
  const auto t = static_cast<float>(coordinate - whole), s = 1 - t;
  Taps taps;
  taps.weight = {s * s * s / 6, (4 - 6 * t * t + 3 * t * t * t) / 6,
                 (4 - 6 * s * s + 3 * s * s * s) / 6, t * t * t / 6};
  for (int64_t i = 0; i < 4; ++i) {
    taps.index[static_cast<size_t>(i)] = Reflect(first + i, size);
  }
  return taps;
}

float SplineAt(const float* plane, const PlaneSize& size, const Taps& x, const Taps& y) {
  float sum = 0;
  for (size_t row = 0; row < 4; ++row) {
    const float* const line = plane + y.index[row] * size.width;
    sum += y.weight[row] * (x.weight[0] * line[x.index[0]] + x.weight[1] * line[x.index[1]] +
                            x.weight[2] * line[x.index[2]] + x.weight[3] * line[x.index[3]]);
  }
  return sum;
}

// A map between pixel coordinates, from the corner, that does what `map` does from the centre.
Affine FromCorner(const Affine& map, const PlaneSize& size) {
  const double x = static_cast<double>(size.width - 1) / 2;
  const double y = static_cast<double>(size.height - 1) / 2;
  return Affine::Translate(x, y) * map * Affine::Translate(-x, -y);
}

}  // namespace

template <typename Type>
void MovePixels(std::span<const Type> in, const PlaneSize& size, const Affine& source,
                std::span<Type> out) {
  // Of (-0.5, 0.5) and the like the results are whole, and exact.
  const Affine map = FromCorner(source, size);
  const auto whole = [](double value) { return static_cast<int64_t>(value); };
  Type* target = out.data();
  for (int64_t y = 0; y < size.height; ++y) {
    for (int64_t x = 0; x < size.width; ++x) {
      const int64_t from_x = whole(map.xx) * x + whole(map.xy) * y + whole(map.x);
      const int64_t from_y = whole(map.yx) * x + whole(map.yy) * y + whole(map.y);
      *target++ = in[static_cast<size_t>(Reflect(from_y, size.height) * size.width +
                                         Reflect(from_x, size.width))];
    }
  }
}

template void MovePixels(std::span<const float>, const PlaneSize&, const Affine&, std::span<float>);
template void MovePixels(std::span<const uint8_t>, const PlaneSize&, const Affine&,
                         std::span<uint8_t>);

void WarpBySplines(std::span<float> planes, const PlaneSize& size, const Affine& source,
                   std::span<float> out) {
  const int64_t values = size.height * size.width;
  const int64_t count = static_cast<int64_t>(planes.size()) / values;
  for (int64_t plane = 0; plane < count; ++plane) {
    float* const first = planes.data() + plane * values;
    for (int64_t y = 0; y < size.height; ++y) ToCoefficients(first + y * size.width, size.width, 1);
    for (int64_t x = 0; x < size.width; ++x) ToCoefficients(first + x, size.height, size.width);
  }
  // A stretch that is one but for rounding takes one point.
  const int points =
      std::clamp(static_cast<int>(std::ceil(source.LargestStretch() - 0.01)), 1, kMostPoints);
  const Affine map = FromCorner(source, size);
  const float share = 1.0f / static_cast<float>(points * points);
  std::fill(out.begin(), out.end(), 0.0f);
  for (int64_t y = 0; y < size.height; ++y) {
    for (int64_t x = 0; x < size.width; ++x) {
      for (int point = 0; point < points * points; ++point) {
        const double at_x = static_cast<double>(x) + (point % points + 0.5) / points - 0.5;
        const double at_y = static_cast<double>(y) + (point / points + 0.5) / points - 0.5;
        const Taps taps_x = TapsAt(map.xx * at_x + map.xy * at_y + map.x, size.width);
        const Taps taps_y = TapsAt(map.yx * at_x + map.yy * at_y + map.y, size.height);
        for (int64_t plane = 0; plane < count; ++plane) {
          const int64_t begin = plane * values;
          out[static_cast<size_t>(begin + y * size.width + x)] +=
              share * SplineAt(planes.data() + begin, size, taps_x, taps_y);
        }
      }
    }
  }
}

void WarpNearest(std::span<const uint8_t> in, const PlaneSize& size, const Affine& source,
                 std::span<uint8_t> out) {
  const Affine map = FromCorner(source, size);
  uint8_t* target = out.data();
  for (int64_t y = 0; y < size.height; ++y) {
    for (int64_t x = 0; x < size.width; ++x) {
      const auto at_x = static_cast<double>(x), at_y = static_cast<double>(y);
      const double from_x = std::floor(map.xx * at_x + map.xy * at_y + map.x + 0.5);
      const double from_y = std::floor(map.yx * at_x + map.yy * at_y + map.y + 0.5);
      *target++ =
          in[static_cast<size_t>(Reflect(static_cast<int64_t>(from_y), size.height) * size.width +
                                 Reflect(static_cast<int64_t>(from_x), size.width))];
    }
  }
}

}  // namespace langevin::data
