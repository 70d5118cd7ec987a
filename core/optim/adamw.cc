#include "core/optim/adamw.h"

#include <algorithm>
#include <cmath>

#include "ATen/ATen.h"
#include "ATen/Parallel.h"
#include "core/optim/adamw_kernel.h"

namespace langevin::optim {
namespace {

constexpr int64_t kChunk = 1 << 15;  // Numbers a thread takes at a time.

AdamWCoefficients CoefficientsOf(const AdamWStep& step) {
  const double correction1 = 1 - std::pow(step.beta1, static_cast<double>(step.step));
  const double correction2 = 1 - std::pow(step.beta2, static_cast<double>(step.step));
  return {.gradient_scale = static_cast<float>(step.gradient_scale),
          .beta1 = static_cast<float>(step.beta1),
          .one_minus_beta1 = static_cast<float>(1 - step.beta1),
          .beta2 = static_cast<float>(step.beta2),
          .one_minus_beta2 = static_cast<float>(1 - step.beta2),
          .keep = static_cast<float>(1 - step.learning_rate * step.weight_decay),
          .step_size = static_cast<float>(step.learning_rate / correction1),
          .inverse_root_correction2 = static_cast<float>(1 / std::sqrt(correction2)),
          .epsilon = static_cast<float>(step.epsilon),
          .one_minus_average_decay = static_cast<float>(1 - step.average_decays.front())};
}

// The same with whole-tensor operations, for devices.
void SweepOnDevice(const AdamWStep& step, const at::Tensor& gradient, at::Tensor weights,
                   OptimizerState& state) {
  const AdamWCoefficients k = CoefficientsOf(step);
  const at::Tensor g = gradient * k.gradient_scale;
  state.exp_avg.mul_(k.beta1).add_(g, k.one_minus_beta1);
  state.exp_avg_sq.mul_(k.beta2).addcmul_(g, g, k.one_minus_beta2);
  const at::Tensor denominator =
      state.exp_avg_sq.sqrt().mul_(k.inverse_root_correction2).add_(k.epsilon);
  weights.mul_(k.keep).addcdiv_(state.exp_avg, denominator, -k.step_size);
  for (size_t i = 0; i < state.averages.size(); ++i) {
    at::Tensor average = state.averages[i].narrow(0, 0, weights.size(0));
    average.lerp_(weights, static_cast<float>(1 - step.average_decays[i]));
  }
}

}  // namespace

void ApplyAdamW(const AdamWStep& step, const at::Tensor& gradient, at::Tensor weights,
                OptimizerState& state) {
  const at::NoGradGuard no_grad;
  if (!gradient.device().is_cpu()) {
    SweepOnDevice(step, gradient, weights.narrow(0, 0, gradient.size(0)), state);
    return;
  }
  const AdamWCoefficients coefficients = CoefficientsOf(step);
  const float* g = gradient.data_ptr<float>();
  float* w = weights.data_ptr<float>();
  float* m = state.exp_avg.data_ptr<float>();
  float* v = state.exp_avg_sq.data_ptr<float>();
  float* average = state.averages.front().data_ptr<float>();
  at::parallel_for(0, gradient.numel(), kChunk, [&](int64_t begin, int64_t end) {
    AdamWSweep(coefficients, end - begin, g + begin, w + begin, m + begin, v + begin,
               average + begin);
    // The weights of a chunk are still in the cache.
    for (size_t i = 1; i < state.averages.size(); ++i) {
      AverageSweep(static_cast<float>(1 - step.average_decays[i]), end - begin, w + begin,
                   state.averages[i].data_ptr<float>() + begin);
    }
  });
}

at::Tensor BlockSquares(const at::Tensor& flat) {
  const int64_t blocks = (flat.numel() + kNormBlock - 1) / kNormBlock;
  if (!flat.device().is_cpu()) {
    const at::Tensor padded = at::constant_pad_nd(flat, {0, blocks * kNormBlock - flat.numel()});
    return padded.to(at::kDouble).square_().view({blocks, kNormBlock}).sum(1);
  }
  at::Tensor squares = at::empty({blocks}, at::kDouble);
  const float* values = flat.data_ptr<float>();
  double* sums = squares.data_ptr<double>();
  at::parallel_for(0, blocks, kChunk / kNormBlock, [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const int64_t first = block * kNormBlock;
      sums[block] = SumOfSquares(std::min(kNormBlock, flat.numel() - first), values + first);
    }
  });
  return squares;
}

double NormOfBlocks(const at::Tensor& block_squares) {
  const at::Tensor host = block_squares.cpu();
  const double* sums = host.data_ptr<double>();
  double total = 0;
  for (int64_t i = 0; i < host.numel(); ++i) total += sums[i];
  return std::sqrt(total);
}

}  // namespace langevin::optim
