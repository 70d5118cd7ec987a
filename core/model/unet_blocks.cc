#include "core/model/unet_blocks.h"

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"

namespace langevin::model {

DownBlock::DownBlock(ParameterStore& store, const std::string& name, BlockOptions& options,
                     const BlockShape& shape) {
  for (int64_t i = 0; i < shape.layers; ++i) {
    resnets_.emplace_back(
        store, absl::StrCat(name, ".resnets.", i), options,
        ResnetShape{.in_channels = i == 0 ? shape.in_channels : shape.out_channels,
                    .out_channels = shape.out_channels});
    if (shape.attention_head_dim.has_value()) {
      attentions_.emplace_back(store, absl::StrCat(name, ".attentions.", i), shape.out_channels,
                               *shape.attention_head_dim, options.norm_groups,
                               options.norm_epsilon);
    }
  }
  const std::string downsampler = name + ".downsamplers.0";
  if (shape.resample == ResampleKind::kConv) {
    downsampler_conv_.emplace(store, downsampler, shape.out_channels, options.downsample_padding);
  } else if (shape.resample == ResampleKind::kResnet) {
    downsampler_resnet_.emplace(store, downsampler, options,
                                ResnetShape{.in_channels = shape.out_channels,
                                            .out_channels = shape.out_channels,
                                            .resample = Resample::kDown});
  }
}

at::Tensor DownBlock::operator()(at::Tensor x, const at::Tensor& time_embedding,
                                 const ForwardContext& context, SkipConnections& skips) const {
  for (size_t i = 0; i < resnets_.size(); ++i) {
    x = resnets_[i](x, time_embedding, context);
    if (!attentions_.empty()) x = attentions_[i](x);
    skips.features.push_back(x);
  }
  if (downsampler_conv_.has_value()) x = (*downsampler_conv_)(x);
  if (downsampler_resnet_.has_value()) x = (*downsampler_resnet_)(x, time_embedding, context);
  if (downsampler_conv_.has_value() || downsampler_resnet_.has_value()) skips.features.push_back(x);
  return x;
}

MidBlock::MidBlock(ParameterStore& store, const std::string& name, BlockOptions& options,
                   int64_t channels, std::optional<int64_t> attention_head_dim,
                   std::optional<int64_t> attention_groups, double output_scale) {
  for (int i = 0; i < 2; ++i) {
    resnets_.emplace_back(
        store, absl::StrCat(name, ".resnets.", i), options,
        ResnetShape{
            .in_channels = channels, .out_channels = channels, .output_scale = output_scale});
  }
  if (attention_head_dim.has_value()) {
    attention_.emplace(store, name + ".attentions.0", channels, *attention_head_dim,
                       attention_groups, options.norm_epsilon, output_scale);
  }
}

at::Tensor MidBlock::operator()(const at::Tensor& x, const at::Tensor& time_embedding,
                                const ForwardContext& context) const {
  at::Tensor hidden = resnets_[0](x, time_embedding, context);
  if (attention_.has_value()) hidden = (*attention_)(hidden);
  return resnets_[1](hidden, time_embedding, context);
}

UpBlock::UpBlock(ParameterStore& store, const std::string& name, BlockOptions& options,
                 const BlockShape& shape) {
  for (int64_t i = 0; i < shape.layers; ++i) {
    const int64_t skip = i == shape.layers - 1 ? shape.skip_channels : shape.out_channels;
    const int64_t in = i == 0 ? shape.in_channels : shape.out_channels;
    resnets_.emplace_back(
        store, absl::StrCat(name, ".resnets.", i), options,
        ResnetShape{.in_channels = in + skip, .out_channels = shape.out_channels});
    if (shape.attention_head_dim.has_value()) {
      attentions_.emplace_back(store, absl::StrCat(name, ".attentions.", i), shape.out_channels,
                               *shape.attention_head_dim, options.norm_groups,
                               options.norm_epsilon);
    }
  }
  const std::string upsampler = name + ".upsamplers.0";
  if (shape.resample == ResampleKind::kConv) {
    upsampler_conv_.emplace(store, upsampler, shape.out_channels);
  } else if (shape.resample == ResampleKind::kResnet) {
    upsampler_resnet_.emplace(store, upsampler, options,
                              ResnetShape{.in_channels = shape.out_channels,
                                          .out_channels = shape.out_channels,
                                          .resample = Resample::kUp});
  }
}

at::Tensor UpBlock::operator()(at::Tensor x, const at::Tensor& time_embedding,
                               const ForwardContext& context, SkipConnections& skips) const {
  for (size_t i = 0; i < resnets_.size(); ++i) {
    x = at::cat({x, skips.features.back()}, 1);
    skips.features.pop_back();
    x = resnets_[i](x, time_embedding, context);
    if (!attentions_.empty()) x = attentions_[i](x);
  }
  if (upsampler_conv_.has_value()) x = (*upsampler_conv_)(x);
  if (upsampler_resnet_.has_value()) x = (*upsampler_resnet_)(x, time_embedding, context);
  return x;
}

}  // namespace langevin::model
