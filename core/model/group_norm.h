// Group normalisation (Wu and He 2018) with the activation behind it in one pass.
//
// ATen's group norm is 10 to 20 times slower on channels-last tensors than memory allows (measured,
// forward and backward); this one keeps an image's statistics in cache, and saves only its input
// and two numbers a group for the backward pass.
#ifndef LANGEVIN_CORE_MODEL_GROUP_NORM_H_
#define LANGEVIN_CORE_MODEL_GROUP_NORM_H_

#include <cstdint>

#include "ATen/core/Tensor.h"

namespace langevin::model {

// silu(norm(x) * weight + bias), or without the silu. x: (N, C, H, W), fp32 or bf16, any strides
// (channels-last is fast on the CPU); weight and bias: (C), fp32; C is a multiple of `groups`. The
// result has x's shape and type, channels-last. Statistics and arithmetic are fp32 or better.
// Differentiable in x, weight and bias. Bits depend neither on N nor on the number of threads.
at::Tensor GroupNorm(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     int64_t groups, double epsilon, bool silu);

}  // namespace langevin::model

#endif  // LANGEVIN_CORE_MODEL_GROUP_NORM_H_
