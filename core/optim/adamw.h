// AdamW and averages of the weights, in one sweep over flat buffers.
//
// The sweep reads and writes each number once: the step is limited by memory, and separate passes
// for clipping, moments, weights and average would each cost as much as this one.
#ifndef LANGEVIN_CORE_OPTIM_ADAMW_H_
#define LANGEVIN_CORE_OPTIM_ADAMW_H_

#include <cstdint>
#include <vector>

#include "ATen/core/Tensor.h"

namespace langevin::optim {

// What the optimizer remembers: flat fp32 buffers, the moments as long as the gradient, averages as
// long as the weights.
struct OptimizerState {
  at::Tensor exp_avg;                // First moment.
  at::Tensor exp_avg_sq;             // Second moment.
  std::vector<at::Tensor> averages;  // Of the weights; at least one.
};

struct AdamWStep {
  double learning_rate = 0;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  int64_t step = 1;           // 1 for the first: for the correction of the moments' bias.
  double gradient_scale = 1;  // Multiplies the gradient: the mean over microbatches, and clipping.
  std::vector<double> average_decays = {0};  // The weight of each old average.
};

// One step: AdamW (Loshchilov and Hutter 2019, algorithm 2) on `weights` with `gradient`, then the
// averages of the new weights. Flat fp32 tensors on one device; `weights` may be longer than
// `gradient`: the rest is not trained. A number's result depends on it alone: not on threads or on
// how a buffer is cut.
void ApplyAdamW(const AdamWStep& step, const at::Tensor& gradient, at::Tensor weights,
                OptimizerState& state);

// The Euclidean norm of a flat fp32 tensor, in two steps so that slices of one vector on several
// ranks give the same bits as the whole: the sums of squares of each kNormBlock numbers (a double
// each; the last block may be shorter), and the norm from all of them in order.
inline constexpr int64_t kNormBlock = 256;
at::Tensor BlockSquares(const at::Tensor& flat);
double NormOfBlocks(const at::Tensor& block_squares);

}  // namespace langevin::optim

#endif  // LANGEVIN_CORE_OPTIM_ADAMW_H_
