// The arithmetic of one AdamW step on the CPU, compiled for several instruction sets. Used by
// adamw.cc alone. Thread-safe.
#ifndef LANGEVIN_CORE_OPTIM_ADAMW_KERNEL_H_
#define LANGEVIN_CORE_OPTIM_ADAMW_KERNEL_H_

#include <cstdint>

namespace langevin::optim {

// The scalars of a step as the sweep uses them.
struct AdamWCoefficients {
  float gradient_scale;
  float beta1, one_minus_beta1;
  float beta2, one_minus_beta2;
  float keep;                      // 1 - learning_rate * weight_decay.
  float step_size;                 // learning_rate / (1 - beta1^step).
  float inverse_root_correction2;  // 1 / sqrt(1 - beta2^step).
  float epsilon;
  float one_minus_average_decay;
};

// Updates `count` weights, their moments and their average, each number from its own alone.
void AdamWSweep(const AdamWCoefficients& k, int64_t count, const float* gradient, float* weights,
                float* exp_avg, float* exp_avg_sq, float* average);

// Moves `count` numbers of a further average towards the weights.
void AverageSweep(float one_minus_decay, int64_t count, const float* weights, float* average);

// In double, in an order that depends on `count` alone.
double SumOfSquares(int64_t count, const float* values);

}  // namespace langevin::optim

#endif  // LANGEVIN_CORE_OPTIM_ADAMW_KERNEL_H_
