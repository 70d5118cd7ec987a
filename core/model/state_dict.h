// Between flat buffers and named tensors as files hold them.
//
// Names are those of diffusers' state dict behind a prefix ("ema.conv_in.weight"); bytes are fp32,
// row-major in the logical shape, whatever the layout in memory.
#ifndef LANGEVIN_CORE_MODEL_STATE_DICT_H_
#define LANGEVIN_CORE_MODEL_STATE_DICT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ATen/core/Tensor.h"
#include "core/base/tensor_view.h"
#include "core/model/parameter_store.h"

namespace langevin::model {

// A tensor on the CPU, fp32 or int64, contiguous, that owns its bytes.
struct NamedTensor {
  std::string name;
  at::Tensor tensor;
};

// Copies of the parameters in `flat`, a buffer of the store: flat_size() long, or trainable_size()
// for what only trainable parameters have.
std::vector<NamedTensor> StateDict(const ParameterStore& store, const at::Tensor& flat,
                                   std::string_view prefix);

// Empty tensors to read the same into.
std::vector<NamedTensor> EmptyStateDict(const ParameterStore& store, const at::Tensor& flat,
                                        std::string_view prefix);

// Their names, types and shapes, without bytes.
std::vector<TensorView> DescribeStateDict(const ParameterStore& store, int64_t flat_size,
                                          std::string_view prefix);

// Copies tensors, as StateDict lists them, into `flat`.
void FillFromStateDict(const ParameterStore& store, const std::vector<NamedTensor>& tensors,
                       at::Tensor flat);

// Views of the same bytes; valid as long as `tensors`.
std::vector<TensorView> ViewsOf(const std::vector<NamedTensor>& tensors);
std::vector<MutableTensorView> MutableViewsOf(const std::vector<NamedTensor>& tensors);

}  // namespace langevin::model

#endif  // LANGEVIN_CORE_MODEL_STATE_DICT_H_
