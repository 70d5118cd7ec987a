#include "data/pixel_kernels.h"

#include <bit>
#include <cmath>

#include "data/pixel_kernels_avx2.h"

namespace langevin::data::kernels {
namespace {

template <typename Type>
float Map(const LinearMap& map, Type stored) {
  return static_cast<float>(static_cast<double>(stored) * map.scale + map.offset);
}

template <typename Type>
void MapRows(const Type* in, int64_t rows, int64_t width, const LinearMap& map, Direction direction,
             Store /*store*/, float* out) {
  if (direction == Direction::kForward) {
    for (int64_t i = 0; i < rows * width; ++i) out[i] = Map(map, in[i]);
    return;
  }
  for (int64_t row = 0; row < rows; ++row, in += width, out += width) {
    for (int64_t i = 0; i < width; ++i) out[width - 1 - i] = Map(map, in[i]);
  }
}

template <typename Type>
void SplitChannels(const Type* in, int64_t count, int64_t channels, Type* planes) {
  for (int64_t channel = 0; channel < channels; ++channel) {
    for (int64_t i = 0; i < count; ++i) planes[channel * count + i] = in[i * channels + channel];
  }
}

}  // namespace

LinearMap MakeLinearMap(double scale, double offset, int32_t largest) {
  LinearMap map{.scale = scale, .offset = offset};
  if (largest == 0) return map;
  // Where the map crosses zero at a half of an integer, as all that prepare makes of a depth do.
  const double zero = -2 * offset / scale;
  if (!(std::abs(zero) < (1 << 22)) || std::abs(zero - std::round(zero)) > 1e-6) return map;
  map.zero = static_cast<int32_t>(std::round(zero));
  map.half_high = static_cast<float>(scale / 2);
  map.half_low = static_cast<float>(scale / 2 - static_cast<double>(map.half_high));
  for (int32_t stored = 0; stored <= largest; ++stored) {
    const float steps = static_cast<float>(2 * stored - map.zero);
    const float mapped = std::fma(steps, map.half_high, steps * map.half_low);
    if (std::bit_cast<uint32_t>(mapped) != std::bit_cast<uint32_t>(Map(map, stored))) return map;
  }
  map.exact = true;
  return map;
}

template <typename Type>
Kernels<Type> PortableKernels() {
  return {.map_rows = MapRows<Type>, .split_channels = SplitChannels<Type>};
}

template <typename Type>
Kernels<Type> BestKernels() {
#ifdef LANGEVIN_AVX2_KERNELS
  static const bool has_avx2 =
      __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  if (has_avx2) return Avx2Kernels(static_cast<const Type*>(nullptr));
#endif
  return PortableKernels<Type>();
}

void FinishStreaming() {
#ifdef LANGEVIN_AVX2_KERNELS
  Avx2FinishStreaming();
#endif
}

template Kernels<uint8_t> PortableKernels();
template Kernels<uint16_t> PortableKernels();
template Kernels<float> PortableKernels();
template Kernels<uint8_t> BestKernels();
template Kernels<uint16_t> BestKernels();
template Kernels<float> BestKernels();

}  // namespace langevin::data::kernels
