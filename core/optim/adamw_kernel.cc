#include "core/optim/adamw_kernel.h"

#include <cmath>

namespace langevin::optim {

// The compiler vectorises the loop for each of these; the loader picks by what the CPU has.
__attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default"))) void AdamWSweep(
    const AdamWCoefficients& k, int64_t count, const float* gradient, float* weights,
    float* exp_avg, float* exp_avg_sq, float* average) {
  for (int64_t i = 0; i < count; ++i) {
    const float g = gradient[i] * k.gradient_scale;
    const float m = k.beta1 * exp_avg[i] + k.one_minus_beta1 * g;
    const float v = k.beta2 * exp_avg_sq[i] + k.one_minus_beta2 * g * g;
    const float denominator = std::sqrt(v) * k.inverse_root_correction2 + k.epsilon;
    const float w = weights[i] * k.keep - k.step_size * m / denominator;
    exp_avg[i] = m;
    exp_avg_sq[i] = v;
    weights[i] = w;
    average[i] += k.one_minus_average_decay * (w - average[i]);
  }
}

__attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default"))) void AverageSweep(
    float one_minus_decay, int64_t count, const float* weights, float* average) {
  for (int64_t i = 0; i < count; ++i) average[i] += one_minus_decay * (weights[i] - average[i]);
}

__attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default"))) double
SumOfSquares(int64_t count, const float* values) {
  constexpr int64_t kLanes = 16;
  double sums[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const double value = values[i + lane];
      sums[lane] += value * value;
    }
  }
  for (; i < count; ++i) sums[i % kLanes] += static_cast<double>(values[i]) * values[i];
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (int64_t lane = 0; lane < half; ++lane) sums[lane] += sums[lane + half];
  }
  return sums[0];
}

}  // namespace langevin::optim
