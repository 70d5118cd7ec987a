#include "core/model/resnet_block.h"

#include "ATen/ATen.h"

namespace langevin::model {
namespace {

// (channels, 1, 4, 4): the outer product of (1, 3, 3, 1) with itself, which sums to `gain`.
at::Tensor FirKernel(const at::Tensor& x, double gain) {
  const at::Tensor row = at::tensor({1.0, 3.0, 3.0, 1.0}) / 8;
  return (at::outer(row, row) * gain)
      .to(x.options())
      .expand({x.size(1), 1, 4, 4})
      .contiguous(at::MemoryFormat::Contiguous);
}

at::Tensor Resampled(Resample resample, const at::Tensor& x) {
  switch (resample) {
    case Resample::kDown:
      return AveragePool(x);
    case Resample::kUp:
      return UpsampleNearest(x);
    case Resample::kFirDown:
      return FirDownsample(x);
    case Resample::kFirUp:
      return FirUpsample(x);
    case Resample::kNone:
      break;
  }
  return x;
}

}  // namespace

at::Tensor UpsampleNearest(const at::Tensor& x) {
  return at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)});
}

at::Tensor AveragePool(const at::Tensor& x) { return at::avg_pool2d(x, {2, 2}, {2, 2}); }

at::Tensor FirDownsample(const at::Tensor& x) {
  return at::conv2d(x, FirKernel(x, 1), /*bias=*/{}, /*stride=*/2, /*padding=*/1, /*dilation=*/1,
                    /*groups=*/x.size(1));
}

// Zeros between the pixels, which the kernel fills in: the transpose of FirDownsample, four times
// as large.
at::Tensor FirUpsample(const at::Tensor& x) {
  return at::conv_transpose2d(x, FirKernel(x, 4), /*bias=*/{}, /*stride=*/2, /*padding=*/1,
                              /*output_padding=*/0, /*groups=*/x.size(1));
}

ResnetBlock::ResnetBlock(ParameterStore& store, const std::string& name, BlockOptions& options,
                         const ResnetShape& shape)
    : activation_(options.activation),
      scale_shift_(options.scale_shift),
      resample_(shape.resample),
      output_scale_(shape.output_scale),
      norm1_(store, name + ".norm1", shape.in_groups.value_or(options.norm_groups),
             shape.in_channels, options.norm_epsilon),
      conv1_(store, name + ".conv1", shape.in_channels, shape.out_channels, 3, 1, 1),
      time_emb_proj_(store, name + ".time_emb_proj", options.time_embed_dim,
                     scale_shift_ ? 2 * shape.out_channels : shape.out_channels),
      norm2_(store, name + ".norm2", shape.out_groups.value_or(options.norm_groups),
             shape.out_channels, options.norm_epsilon),
      dropout_(options.dropout, options.next_dropout_layer++),
      conv2_(store, name + ".conv2", shape.out_channels, shape.out_channels, 3, 1, 1) {
  const bool fir = resample_ == Resample::kFirDown || resample_ == Resample::kFirUp;
  if (fir || shape.in_channels != shape.out_channels) {
    conv_shortcut_.emplace(store, name + ".conv_shortcut", shape.in_channels, shape.out_channels,
                           1);
  }
}

at::Tensor ResnetBlock::operator()(const at::Tensor& x, const at::Tensor& time_embedding,
                                   const ForwardContext& context) const {
  at::Tensor shortcut = Resampled(resample_, x);
  at::Tensor hidden = conv1_(Resampled(resample_, norm1_.Activated(x, activation_)));

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
