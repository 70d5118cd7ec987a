// The layers networks are built of: they declare their parameters in a store when they are made and
// are pure functions of (parameters, input) after that.
//
// All activations are (N, C, H, W), channels-last in memory, in the run's compute precision. Layers
// belong to their network, which outlives no store.
#ifndef LANGEVIN_CORE_MODEL_LAYERS_H_
#define LANGEVIN_CORE_MODEL_LAYERS_H_

#include <cstdint>
#include <optional>
#include <string>

#include "ATen/core/Tensor.h"
#include "core/model/parameter_store.h"

namespace langevin::model {

enum class Activation { kSilu, kMish, kGelu, kRelu };

// "silu" and "swish", "mish", "gelu", "relu". Requires one of these.
Activation ActivationFromName(const std::string& name);
at::Tensor Apply(Activation activation, const at::Tensor& x);

// What a forward pass needs to know beside its inputs.
struct ForwardContext {
  // Training: dropout is on, drawn for the example at position first_position + i of the run's
  // sample stream for image i, so that no grouping of images into batches or ranks changes it.
  bool training = false;
  uint64_t seed = 0;
  int64_t first_position = 0;
  // What augmentation did to each image, (N, augment_dim), fp32, for networks that are told.
  // Undefined: nothing, as in sampling.
  at::Tensor augment_labels = {};
};

// How the weights of a linear layer or convolution are declared.
struct WeightOptions {
  bool keep_fp32 = false;  // For time embeddings, which are too coarse in bf16.
  bool bias = true;
  // Not set: PyTorch's, for the bias too. Set: the weight's; the bias begins at 0.
  std::optional<Initializer> initializer = {};
};

class Conv2d {
 public:
  Conv2d(ParameterStore& store, const std::string& name, int64_t in_channels, int64_t out_channels,
         int64_t kernel, int64_t stride = 1, int64_t padding = 0,
         const WeightOptions& options = {});
  at::Tensor operator()(const at::Tensor& x) const;

 private:
  const Parameter* weight_;
  const Parameter* bias_;  // Null: none.
  int64_t stride_;
  int64_t padding_;
};

class Linear {
 public:
  Linear(ParameterStore& store, const std::string& name, int64_t in_features, int64_t out_features,
         const WeightOptions& options = {});
  // (..., in_features) to (..., out_features).
  at::Tensor operator()(const at::Tensor& x) const;
  // The same at every pixel of (N, in_features, H, W): a 1x1 convolution, which on CPUs is faster
  // than a matrix product over transposed data.
  at::Tensor AtEveryPixel(const at::Tensor& x) const;

 private:
  const Parameter* weight_;
  const Parameter* bias_;  // Null: none.
};

class GroupNormLayer {
 public:
  GroupNormLayer(ParameterStore& store, const std::string& name, int64_t groups, int64_t channels,
                 double epsilon);
  at::Tensor operator()(const at::Tensor& x) const;
  // activation(norm(x)), fused where it is SiLU.
  at::Tensor Activated(const at::Tensor& x, Activation activation) const;

 private:
  const Parameter* weight_;
  const Parameter* bias_;
  int64_t groups_;
  double epsilon_;
};

// Zeroes values with probability `rate` in training and scales the others by 1 / (1 - rate).
class Dropout {
 public:
  // `layer` numbers the network's dropout layers: no two share their draws.
  Dropout(double rate, uint32_t layer) : rate_(rate), layer_(layer) {}
  at::Tensor operator()(const at::Tensor& x, const ForwardContext& context) const;

 private:
  double rate_;
  uint32_t layer_;
};

}  // namespace langevin::model

#endif  // LANGEVIN_CORE_MODEL_LAYERS_H_
