#include "core/model/resnet_block.h"

#include "ATen/ATen.h"

namespace langevin::model {

at::Tensor UpsampleNearest(const at::Tensor& x) {
  return at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)});
}

at::Tensor AveragePool(const at::Tensor& x) { return at::avg_pool2d(x, {2, 2}, {2, 2}); }

ResnetBlock::ResnetBlock(ParameterStore& store, const std::string& name, BlockOptions& options,
                         int64_t in_channels, int64_t out_channels, Resample resample,
                         double output_scale)
    : activation_(options.activation),
      scale_shift_(options.scale_shift),
      resample_(resample),
      output_scale_(output_scale),
      norm1_(store, name + ".norm1", options.norm_groups, in_channels, options.norm_epsilon),
      conv1_(store, name + ".conv1", in_channels, out_channels, 3, 1, 1),
      time_emb_proj_(store, name + ".time_emb_proj", options.time_embed_dim,
                     scale_shift_ ? 2 * out_channels : out_channels),
      norm2_(store, name + ".norm2", options.norm_groups, out_channels, options.norm_epsilon),
      dropout_(options.dropout, options.next_dropout_layer++),
      conv2_(store, name + ".conv2", out_channels, out_channels, 3, 1, 1) {
  if (in_channels != out_channels) {
    conv_shortcut_.emplace(store, name + ".conv_shortcut", in_channels, out_channels, 1);
  }
}

at::Tensor ResnetBlock::operator()(const at::Tensor& x, const at::Tensor& time_embedding,
                                   const ForwardContext& context) const {
  at::Tensor shortcut = x;
  at::Tensor hidden = norm1_.Activated(x, activation_);
  if (resample_ != Resample::kNone) {
    const auto resample = resample_ == Resample::kUp ? UpsampleNearest : AveragePool;
    shortcut = resample(shortcut);
    hidden = resample(hidden);
  }
  hidden = conv1_(hidden);

  const at::Tensor time = time_emb_proj_(Apply(activation_, time_embedding).to(x.scalar_type()))
                              .unsqueeze(2)
                              .unsqueeze(3);
  if (scale_shift_) {
    const std::vector<at::Tensor> scale_and_shift = time.chunk(2, 1);
    hidden = norm2_(hidden) * (1 + scale_and_shift[0]) + scale_and_shift[1];
    hidden = Apply(activation_, hidden);
  } else {
    hidden = norm2_.Activated(hidden + time, activation_);
  }
  hidden = conv2_(dropout_(hidden, context));

  if (conv_shortcut_.has_value()) shortcut = (*conv_shortcut_)(shortcut);
  hidden = shortcut + hidden;
  return output_scale_ == 1 ? hidden : hidden / output_scale_;
}

Downsample::Downsample(ParameterStore& store, const std::string& name, int64_t channels,
                       int64_t padding)
    : padding_(padding), conv_(store, name + ".conv", channels, channels, 3, 2, padding) {}

at::Tensor Downsample::operator()(const at::Tensor& x) const {
  return conv_(padding_ == 0 ? at::constant_pad_nd(x, {0, 1, 0, 1}) : x);
}

Upsample::Upsample(ParameterStore& store, const std::string& name, int64_t channels)
    : conv_(store, name + ".conv", channels, channels, 3, 1, 1) {}

at::Tensor Upsample::operator()(const at::Tensor& x) const { return conv_(UpsampleNearest(x)); }

}  // namespace langevin::model
