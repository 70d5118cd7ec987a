#include "core/model/layers.h"

#include <cmath>
#include <span>
#include <utility>

#include "ATen/ATen.h"
#include "ATen/Parallel.h"
#include "core/base/philox.h"
#include "core/model/group_norm.h"

namespace langevin::model {
namespace {

// Weight and bias of a convolution or linear layer, initialised as PyTorch does unless told
// otherwise: kaiming_uniform with a = sqrt(5) is U(-1/sqrt(fan_in), 1/sqrt(fan_in)), and so is the
// bias. The bias is null where there is none.
std::pair<const Parameter*, const Parameter*> DeclareWeightAndBias(ParameterStore& store,
                                                                   const std::string& name,
                                                                   std::vector<int64_t> shape,
                                                                   const WeightOptions& options) {
  int64_t fan_in = 1;
  for (size_t i = 1; i < shape.size(); ++i) fan_in *= shape[i];
  const Initializer usual{Initializer::Kind::kUniform, 1 / std::sqrt(static_cast<double>(fan_in))};
  const int64_t outputs = shape[0];
  const Parameter* const weight = store.Declare({.name = name + ".weight",
                                                 .shape = std::move(shape),
                                                 .initializer = options.initializer.value_or(usual),
                                                 .keep_fp32 = options.keep_fp32});
  if (!options.bias) return {weight, nullptr};
  return {weight,
          store.Declare({.name = name + ".bias",
                         .shape = {outputs},
                         .initializer = options.initializer.has_value() ? Initializer() : usual,
                         .keep_fp32 = options.keep_fp32})};
}

at::Tensor BiasOf(const Parameter* bias) { return bias == nullptr ? at::Tensor() : bias->weight; }

}  // namespace

Activation ActivationFromName(const std::string& name) {
  if (name == "mish") return Activation::kMish;
  if (name == "gelu") return Activation::kGelu;
  if (name == "relu") return Activation::kRelu;
  return Activation::kSilu;
}

at::Tensor Apply(Activation activation, const at::Tensor& x) {
  switch (activation) {
    case Activation::kSilu:
      return at::silu(x);
    case Activation::kMish:
      return at::mish(x);
    case Activation::kGelu:
      return at::gelu(x);
    case Activation::kRelu:
      return at::relu(x);
  }
  return x;
}

Conv2d::Conv2d(ParameterStore& store, const std::string& name, int64_t in_channels,
               int64_t out_channels, int64_t kernel, int64_t stride, int64_t padding,
               const WeightOptions& options)
    : stride_(stride), padding_(padding) {
  std::tie(weight_, bias_) =
      DeclareWeightAndBias(store, name, {out_channels, in_channels, kernel, kernel}, options);
}

at::Tensor Conv2d::operator()(const at::Tensor& x) const {
  return at::conv2d(x, weight_->weight, BiasOf(bias_), stride_, padding_);
}

Linear::Linear(ParameterStore& store, const std::string& name, int64_t in_features,
               int64_t out_features, const WeightOptions& options) {
  std::tie(weight_, bias_) =
      DeclareWeightAndBias(store, name, {out_features, in_features}, options);
}

at::Tensor Linear::operator()(const at::Tensor& x) const {
  return at::linear(x, weight_->weight, BiasOf(bias_));
}

at::Tensor Linear::AtEveryPixel(const at::Tensor& x) const {
  const at::Tensor& weight = weight_->weight;
  return at::conv2d(x, weight.view({weight.size(0), weight.size(1), 1, 1}), BiasOf(bias_));
}

GroupNormLayer::GroupNormLayer(ParameterStore& store, const std::string& name, int64_t groups,
                               int64_t channels, double epsilon)
    : weight_(store.Declare({.name = name + ".weight",
                             .shape = {channels},
                             .initializer = {Initializer::Kind::kConstant, 1},
                             .keep_fp32 = true})),
      bias_(store.Declare({.name = name + ".bias",
                           .shape = {channels},
                           .initializer = {Initializer::Kind::kConstant, 0},
                           .keep_fp32 = true})),
      groups_(groups),
      epsilon_(epsilon) {}

at::Tensor GroupNormLayer::operator()(const at::Tensor& x) const {
  return GroupNorm(x, weight_->weight, bias_->weight, groups_, epsilon_, /*silu=*/false);
}

at::Tensor GroupNormLayer::Activated(const at::Tensor& x, Activation activation) const {
  const bool silu = activation == Activation::kSilu;
  const at::Tensor y = GroupNorm(x, weight_->weight, bias_->weight, groups_, epsilon_, silu);
  return silu ? y : Apply(activation, y);
}

at::Tensor Dropout::operator()(const at::Tensor& x, const ForwardContext& context) const {
  if (!context.training || rate_ == 0) return x;
  at::Tensor mask = at::empty(x.sizes(), at::kFloat);
  const int64_t image_size = mask.numel() / mask.size(0);
  const auto rate = static_cast<float>(rate_);
  at::parallel_for(0, mask.size(0), 1, [&](int64_t begin, int64_t end) {
    for (int64_t image = begin; image < end; ++image) {
      const RandomStream stream(context.seed, context.first_position + image,
                                RandomPurpose::kDropout, layer_);
      const std::span<float> values(mask.data_ptr<float>() + image * image_size, image_size);
      stream.FillUniform(values);
      for (float& value : values) value = value < rate ? 0.0F : 1.0F / (1.0F - rate);
    }
  });
  return x * mask.to(x.device(), x.scalar_type());
}

}  // namespace langevin::model
