// What training and sampling know of a model: noisy images, times and conditions in, a prediction
// out.
#ifndef LANGEVIN_CORE_MODEL_NETWORK_H_
#define LANGEVIN_CORE_MODEL_NETWORK_H_

#include "ATen/core/Tensor.h"
#include "core/model/layers.h"
#include "core/model/parameter_store.h"

namespace langevin::model {

// One thread at a time.
class Network {
 public:
  virtual ~Network() = default;

  // sample: (N, in_channels, H, W), fp32. timesteps: (N), int64 or fp32. class_labels: undefined
  // for unconditional networks, else what the network's conditioning wants (for a table (N),
  // int64). Returns (N, out_channels, H, W), fp32. Differentiable in the parameters.
  virtual at::Tensor Forward(const at::Tensor& sample, const at::Tensor& timesteps,
                             const at::Tensor& class_labels,
                             const ForwardContext& context) const = 0;

  virtual ParameterStore& parameters() = 0;
};

}  // namespace langevin::model

#endif  // LANGEVIN_CORE_MODEL_NETWORK_H_
