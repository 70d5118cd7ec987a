// Tensors that hold a number for every weight: weights, gradients, moments, averages.
#ifndef LANGEVIN_CORE_MODEL_FLAT_BUFFER_H_
#define LANGEVIN_CORE_MODEL_FLAT_BUFFER_H_

#include <cstdint>

#include "ATen/core/Tensor.h"

namespace langevin::model {

// (size), of the dtype and on the device of `options`, zero. On the CPU in AllocateBuffer's memory.
at::Tensor ZeroFlatBuffer(int64_t size, const at::TensorOptions& options);
// The same with the values of `flat`, which has one dimension.
at::Tensor CloneFlatBuffer(const at::Tensor& flat);

}  // namespace langevin::model

#endif  // LANGEVIN_CORE_MODEL_FLAT_BUFFER_H_
