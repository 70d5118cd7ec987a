// What training and sampling know of a model: noisy images, times and conditions in, a prediction
// out.
#ifndef LANGEVIN_CORE_MODEL_NETWORK_H_
#define LANGEVIN_CORE_MODEL_NETWORK_H_

#include <optional>
#include <string_view>

#include "ATen/core/Tensor.h"
#include "core/model/layers.h"
#include "core/model/parameter_store.h"
#include "core/model/uncertainty.h"

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

  // u of the loss at each of `noise_levels` (N), ln(sigma / alpha) / 4: (N, 1, 1, 1), fp32,
  // differentiable. Undefined where it is not learned (Conditioning::learns_uncertainty).
  at::Tensor UncertaintyAt(const at::Tensor& noise_levels) const;

 protected:
  // Made by constructors before the store is allocated; last, as backward comes there first.
  std::optional<Uncertainty> uncertainty_;
};

// The map of augmentation labels, which diffusers does not have. It says nothing where there are
// none.
inline constexpr char kAugmentEmbeddingName[] = "augment_embedding.weight";

// Whether a parameter matters in training alone: exports leave it out, and model folders that
// training begins with need not have it.
bool IsForTrainingAlone(std::string_view parameter_name);

}  // namespace langevin::model

#endif  // LANGEVIN_CORE_MODEL_NETWORK_H_
