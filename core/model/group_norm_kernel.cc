#include "core/model/group_norm_kernel.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

namespace langevin::model {
namespace {

// The compiler vectorises the loops below for each of these; the loader picks by what the CPU has.
#define LANGEVIN_KERNEL \
  __attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default")))
#define LANGEVIN_INLINE inline __attribute__((always_inline))

// e^x to 2 ulp for |x| < 87, without a call, so that loops over it vectorise: 2^n * e^r with
// |r| <= ln(2)/2 and a Taylor polynomial for e^r.
LANGEVIN_INLINE float Exp(float x) {
  x = std::min(std::max(x, -87.0F), 87.0F);
  constexpr float kRound = 12582912.0F;  // 1.5 * 2^23: adding it rounds to a whole number.
  const float n = (x * 1.44269504F + kRound) - kRound;
  const float r = (x - n * 0.693359375F) + n * 2.12194440e-4F;
  float p = 1.0F / 720;
  p = p * r + 1.0F / 120;
  p = p * r + 1.0F / 24;
  p = p * r + 1.0F / 6;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  return p * std::bit_cast<float>((static_cast<int32_t>(n) + 127) << 23);
}

LANGEVIN_INLINE float Sigmoid(float x) { return 1.0F / (1.0F + Exp(-x)); }

// Rows summed in fp32 before the sum goes into double: few enough for fp32 to lose nothing that
// matters, enough for the conversion not to cost.
constexpr int64_t kRowBlock = 64;

// sums[c] = sum over pixels of (x - shift[c]), or of its square.
LANGEVIN_KERNEL void ColumnSums(const float* x, int64_t pixels, int64_t channels,
                                const float* shift, bool squares, float* block, double* sums) {
  std::fill(sums, sums + channels, 0.0);
  for (int64_t begin = 0; begin < pixels; begin += kRowBlock) {
    std::fill(block, block + channels, 0.0F);
    const int64_t end = std::min(begin + kRowBlock, pixels);
    for (int64_t pixel = begin; pixel < end; ++pixel) {
      const float* row = x + pixel * channels;
      if (squares) {
        for (int64_t c = 0; c < channels; ++c) {
          block[c] += (row[c] - shift[c]) * (row[c] - shift[c]);
        }
      } else {
        for (int64_t c = 0; c < channels; ++c) block[c] += row[c] - shift[c];
      }
    }
    for (int64_t c = 0; c < channels; ++c) sums[c] += block[c];
  }
}

// y = act(x * scale + shift), by channel.
LANGEVIN_KERNEL void ScaleAndActivate(const float* x, int64_t pixels, int64_t channels,
                                      const float* scale, const float* shift, bool silu, float* y) {
  for (int64_t pixel = 0; pixel < pixels; ++pixel) {
    const float* row = x + pixel * channels;
    float* out = y + pixel * channels;
    if (silu) {
      for (int64_t c = 0; c < channels; ++c) {
        const float z = row[c] * scale[c] + shift[c];
        out[c] = z * Sigmoid(z);
      }
    } else {
      for (int64_t c = 0; c < channels; ++c) out[c] = row[c] * scale[c] + shift[c];
    }
  }
}

// grad_z = grad_y * act'(x * scale + shift), in place of nothing but `grad_z`.
LANGEVIN_KERNEL void ActivationBackward(const float* x, const float* grad_y, int64_t pixels,
                                        int64_t channels, const float* scale, const float* shift,
                                        float* grad_z) {
  for (int64_t pixel = 0; pixel < pixels; ++pixel) {
    const float* row = x + pixel * channels;
    const float* grad = grad_y + pixel * channels;
    float* out = grad_z + pixel * channels;
    for (int64_t c = 0; c < channels; ++c) {
      const float z = row[c] * scale[c] + shift[c];
      const float s = Sigmoid(z);
      out[c] = grad[c] * s * (1.0F + z * (1.0F - s));
    }
  }
}

// sums[c] = sum of grad_z * normalised x, with normalised x = x * rstd[c] - mean_rstd[c].
LANGEVIN_KERNEL void ColumnDots(const float* x, const float* grad_z, int64_t pixels,
                                int64_t channels, const float* rstd, const float* mean_rstd,
                                float* block, double* sums) {
  std::fill(sums, sums + channels, 0.0);
  for (int64_t begin = 0; begin < pixels; begin += kRowBlock) {
    std::fill(block, block + channels, 0.0F);
    const int64_t end = std::min(begin + kRowBlock, pixels);
    for (int64_t pixel = begin; pixel < end; ++pixel) {
      const float* row = x + pixel * channels;
      const float* grad = grad_z + pixel * channels;
      for (int64_t c = 0; c < channels; ++c)
        block[c] += grad[c] * (row[c] * rstd[c] - mean_rstd[c]);
    }
    for (int64_t c = 0; c < channels; ++c) sums[c] += block[c];
  }
}

// grad_x = a * grad_z + b * x + d, by channel. grad_x may be grad_z.
LANGEVIN_KERNEL void Combine(const float* x, const float* grad_z, int64_t pixels, int64_t channels,
                             const float* a, const float* b, const float* d, float* grad_x) {
  for (int64_t pixel = 0; pixel < pixels; ++pixel) {
    const float* row = x + pixel * channels;
    const float* grad = grad_z + pixel * channels;
    float* out = grad_x + pixel * channels;
    for (int64_t c = 0; c < channels; ++c) out[c] = a[c] * grad[c] + (b[c] * row[c] + d[c]);
  }
}

double GroupSum(const std::vector<double>& values, int64_t group, int64_t group_channels) {
  double sum = 0;
  for (int64_t c = group * group_channels; c < (group + 1) * group_channels; ++c) sum += values[c];
  return sum;
}

}  // namespace

void GroupNormForwardImage(const GroupNormShape& shape, const float* x, const float* weight,
                           const float* bias, float* y, float* mean, float* rstd) {
  const int64_t channels = shape.channels;
  const int64_t group_channels = channels / shape.groups;
  const auto group_size = static_cast<double>(group_channels * shape.pixels);
  std::vector<double> sums(channels);
  std::vector<float> block(channels), shift(channels), scale(channels);

  // Two passes: the difference of large squares that one pass takes loses the variance of images
  // with a high mean.
  ColumnSums(x, shape.pixels, channels, shift.data(), /*squares=*/false, block.data(), sums.data());
  for (int64_t group = 0; group < shape.groups; ++group) {
    mean[group] = static_cast<float>(GroupSum(sums, group, group_channels) / group_size);
  }
  for (int64_t c = 0; c < channels; ++c) shift[c] = mean[c / group_channels];
  ColumnSums(x, shape.pixels, channels, shift.data(), /*squares=*/true, block.data(), sums.data());
  for (int64_t group = 0; group < shape.groups; ++group) {
    const double variance = GroupSum(sums, group, group_channels) / group_size;
    rstd[group] = static_cast<float>(1 / std::sqrt(variance + shape.epsilon));
  }
  for (int64_t c = 0; c < channels; ++c) {
    scale[c] = weight[c] * rstd[c / group_channels];
    shift[c] = bias[c] - mean[c / group_channels] * scale[c];
  }
  ScaleAndActivate(x, shape.pixels, channels, scale.data(), shift.data(), shape.silu, y);
}

void GroupNormBackwardImage(const GroupNormShape& shape, const float* x, const float* grad_y,
                            const float* weight, const float* bias, const float* mean,
                            const float* rstd, float* grad_x, float* grad_weight,
                            float* grad_bias) {
  const int64_t channels = shape.channels;
  const int64_t group_channels = channels / shape.groups;
  const auto group_size = static_cast<double>(group_channels * shape.pixels);
  std::vector<float> block(channels), scale(channels), shift(channels);
  std::vector<float> channel_rstd(channels), mean_rstd(channels);
  for (int64_t c = 0; c < channels; ++c) {
    const int64_t group = c / group_channels;
    channel_rstd[c] = rstd[group];
    mean_rstd[c] = mean[group] * rstd[group];
    scale[c] = weight[c] * rstd[group];
    shift[c] = bias[c] - mean[group] * scale[c];
  }
  const float* grad_z = grad_y;
  if (shape.silu) {
    ActivationBackward(x, grad_y, shape.pixels, channels, scale.data(), shift.data(), grad_x);
    grad_z = grad_x;
  }
  std::vector<double> sums(channels), dots(channels);
  const std::vector<float> zero(channels);
  ColumnSums(grad_z, shape.pixels, channels, zero.data(), /*squares=*/false, block.data(),
             sums.data());
  ColumnDots(x, grad_z, shape.pixels, channels, channel_rstd.data(), mean_rstd.data(), block.data(),
             dots.data());
  for (int64_t c = 0; c < channels; ++c) {
    grad_weight[c] = static_cast<float>(dots[c]);
    grad_bias[c] = static_cast<float>(sums[c]);
    sums[c] *= weight[c];
    dots[c] *= weight[c];
  }
  // With h the normalised x: grad_x = rstd (w grad_z - mean(w grad_z) - h mean(w grad_z h)), means
  // over the group; h = x rstd - mean rstd.
  std::vector<float> b(channels), d(channels);
  for (int64_t c = 0; c < channels; ++c) {
    const int64_t group = c / group_channels;
    const double mean_gradient = GroupSum(sums, group, group_channels) / group_size;
    const double mean_dot = GroupSum(dots, group, group_channels) / group_size;
    b[c] = static_cast<float>(-mean_dot * rstd[group] * rstd[group]);
    d[c] = static_cast<float>(-mean_gradient * rstd[group] + mean_dot * mean_rstd[c] * rstd[group]);
  }
  Combine(x, grad_z, shape.pixels, channels, scale.data(), b.data(), d.data(), grad_x);
}

LANGEVIN_KERNEL void WidenBf16(const uint16_t* in, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) out[i] = std::bit_cast<float>(uint32_t{in[i]} << 16);
}

LANGEVIN_KERNEL void NarrowToBf16(const float* in, int64_t count, uint16_t* out) {
  for (int64_t i = 0; i < count; ++i) {
    const auto bits = std::bit_cast<uint32_t>(in[i]);
    const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    const uint32_t quiet_nan = (bits >> 16) | 0x40;  // Rounding could make an infinity of it.
    out[i] = static_cast<uint16_t>((bits & 0x7fffffff) > 0x7f800000 ? quiet_nan : rounded);
  }
}

#undef LANGEVIN_KERNEL
#undef LANGEVIN_INLINE

}  // namespace langevin::model
