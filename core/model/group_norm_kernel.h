// The arithmetic of group norm for one image on the CPU, compiled for several instruction sets.
// Used by group_norm.cc alone. Thread-safe.
#ifndef LANGEVIN_CORE_MODEL_GROUP_NORM_KERNEL_H_
#define LANGEVIN_CORE_MODEL_GROUP_NORM_KERNEL_H_

#include <cstdint>

namespace langevin::model {

struct GroupNormShape {
  int64_t pixels = 0;    // Height times width.
  int64_t channels = 0;  // Interleaved: an image is (pixels, channels).
  int64_t groups = 0;    // Divides channels.
  float epsilon = 0;
  bool silu = false;
};

// y = act((x - mean) * rstd * weight + bias). x and y: (pixels, channels); mean and rstd (1 over
// the standard deviation): (groups), written. y may be x.
void GroupNormForwardImage(const GroupNormShape& shape, const float* x, const float* weight,
                           const float* bias, float* y, float* mean, float* rstd);

// grad_x from grad_y, and this image's share of the gradients of weight and bias: (channels),
// written. grad_x may be grad_y.
void GroupNormBackwardImage(const GroupNormShape& shape, const float* x, const float* grad_y,
                            const float* weight, const float* bias, const float* mean,
                            const float* rstd, float* grad_x, float* grad_weight, float* grad_bias);

// Between bf16 (as bits) and fp32, `count` numbers; rounds to nearest, halves to even.
void WidenBf16(const uint16_t* in, int64_t count, float* out);
void NarrowToBf16(const float* in, int64_t count, uint16_t* out);

}  // namespace langevin::model

#endif  // LANGEVIN_CORE_MODEL_GROUP_NORM_KERNEL_H_
