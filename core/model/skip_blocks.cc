#include "core/model/skip_blocks.h"

#include <numbers>

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"
#include "configs/unet_config.h"

namespace langevin::model {
namespace {

constexpr double kOutputScale = std::numbers::sqrt2;

ResnetShape ResamplingShape(int64_t channels, Resample resample) {
  return {.in_channels = channels,
          .out_channels = channels,
          .resample = resample,
          .output_scale = kOutputScale,
          .in_groups = configs::SkipBlockGroups(channels),
          .out_groups = configs::SkipBlockGroups(channels)};
}

Attention MakeAttention(ParameterStore& store, const std::string& name, const BlockShape& shape,
                        const BlockOptions& options) {
  return Attention(store, name, shape.out_channels, *shape.attention_head_dim,
                   configs::kSkipAttentionGroups, options.norm_epsilon, kOutputScale);
}

}  // namespace

SkipDownBlock::SkipDownBlock(ParameterStore& store, const std::string& name, BlockOptions& options,
                             const BlockShape& shape) {
  for (int64_t i = 0; i < shape.layers; ++i) {
    const int64_t in = i == 0 ? shape.in_channels : shape.out_channels;
    resnets_.emplace_back(store, absl::StrCat(name, ".resnets.", i), options,
                          ResnetShape{.in_channels = in,
                                      .out_channels = shape.out_channels,
                                      .output_scale = kOutputScale,
                                      .in_groups = configs::SkipBlockGroups(in),
                                      .out_groups = configs::SkipBlockGroups(shape.out_channels)});
    if (shape.attention_head_dim.has_value()) {
      attentions_.push_back(
          MakeAttention(store, absl::StrCat(name, ".attentions.", i), shape, options));
    }
  }
  if (shape.resample == ResampleKind::kNone) return;
  resnet_down_.emplace(store, name + ".resnet_down", options,
                       ResamplingShape(shape.out_channels, Resample::kFirDown));
  skip_conv_.emplace(store, name + ".skip_conv", configs::kSkipBlockImageChannels,
                     shape.out_channels, 1);
}

at::Tensor SkipDownBlock::operator()(at::Tensor x, const at::Tensor& time_embedding,
                                     const ForwardContext& context, SkipConnections& skips) const {
  for (size_t i = 0; i < resnets_.size(); ++i) {
    x = resnets_[i](x, time_embedding, context);
    if (!attentions_.empty()) x = attentions_[i](x);
    skips.features.push_back(x);
  }
  if (!resnet_down_.has_value()) return x;
  skips.image = FirDownsample(skips.image);
  x = (*skip_conv_)(skips.image) + (*resnet_down_)(x, time_embedding, context);
  skips.features.push_back(x);
  return x;
}

SkipUpBlock::SkipUpBlock(ParameterStore& store, const std::string& name, BlockOptions& options,
                         const BlockShape& shape) {
  const bool attends = shape.attention_head_dim.has_value();
  for (int64_t i = 0; i < shape.layers; ++i) {
    const int64_t skip = i == shape.layers - 1 ? shape.skip_channels : shape.out_channels;
    const int64_t in = i == 0 ? shape.in_channels : shape.out_channels;
    resnets_.emplace_back(store, absl::StrCat(name, ".resnets.", i), options,
                          ResnetShape{.in_channels = in + skip,
                                      .out_channels = shape.out_channels,
                                      .output_scale = kOutputScale,
                                      .in_groups = configs::SkipUpBlockGroups(attends, in, skip),
                                      .out_groups = configs::SkipBlockGroups(shape.out_channels)});
  }
  if (attends) {
    attention_.emplace(MakeAttention(store, name + ".attentions.0", shape, options));
  }
  if (shape.resample == ResampleKind::kNone) return;
  resnet_up_.emplace(store, name + ".resnet_up", options,
                     ResamplingShape(shape.out_channels, Resample::kFirUp));
  skip_conv_.emplace(store, name + ".skip_conv", shape.out_channels,
                     configs::kSkipBlockImageChannels, 3, 1, 1);
  skip_norm_.emplace(store, name + ".skip_norm", configs::SkipBlockGroups(shape.out_channels),
                     shape.out_channels, options.norm_epsilon);
}

at::Tensor SkipUpBlock::operator()(at::Tensor x, const at::Tensor& time_embedding,
                                   const ForwardContext& context, SkipConnections& skips) const {
  for (const ResnetBlock& resnet : resnets_) {
    x = at::cat({x, skips.features.back()}, 1);
    skips.features.pop_back();
    x = resnet(x, time_embedding, context);
  }
  if (attention_.has_value()) x = (*attention_)(x);
  if (skips.image.defined()) skips.image = FirUpsample(skips.image);
  if (!resnet_up_.has_value()) return x;
  const at::Tensor image = (*skip_conv_)(skip_norm_->Activated(x, Activation::kSilu));
  skips.image = skips.image.defined() ? skips.image + image : image;
  return (*resnet_up_)(x, time_embedding, context);
}

}  // namespace langevin::model
