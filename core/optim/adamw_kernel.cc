#include "core/optim/adamw_kernel.h"

#include <cmath>

namespace langevin::optim {

// The compiler vectorises the loop for each of these; the loader picks by what the CPU has.
__attribute__((target_clones("arch=skylake-avx512", "arch=haswell", "default"))) void AdamWSweep(
    const AdamWCoefficients& k, int64_t count, const float* gradient, float* weights,
    float* exp_avg, float* exp_avg_sq, float* ema) {
  for (int64_t i = 0; i < count; ++i) {
    const float g = gradient[i] * k.gradient_scale;
    const float m = k.beta1 * exp_avg[i] + k.one_minus_beta1 * g;
    const float v = k.beta2 * exp_avg_sq[i] + k.one_minus_beta2 * g * g;
    const float denominator = std::sqrt(v) * k.inverse_root_correction2 + k.epsilon;
    const float w = weights[i] * k.keep - k.step_size * m / denominator;
    exp_avg[i] = m;
    exp_avg_sq[i] = v;
    weights[i] = w;
    ema[i] += k.one_minus_ema_decay * (w - ema[i]);
  }
}

}  // namespace langevin::optim
