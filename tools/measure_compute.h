// What one microbatch and one update of the weights cost on this machine: measured for plans.
#ifndef LANGEVIN_TOOLS_MEASURE_COMPUTE_H_
#define LANGEVIN_TOOLS_MEASURE_COMPUTE_H_

#include <cstdint>

#include "ATen/core/Tensor.h"
#include "configs/run_config.h"
#include "core/train/run_plan.h"

namespace langevin::tools {

struct MeasuredCompute {
  train::ComputeTimes times;
  // By how much forward and backward raised this process's memory; an estimate, since the C library
  // keeps some. 0 on devices.
  int64_t activation_bytes = 0;
};

// Makes the model, passes one microbatch of zeros through it a few times and updates its weights a
// few times; medians. `config` is resolved. Throws what LibTorch throws, such as out of memory.
MeasuredCompute MeasureCompute(const configs::RunConfig& config, const at::Device& device);

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_MEASURE_COMPUTE_H_
