#include "core/model/unet2d.h"

#include <algorithm>
#include <string>

#include "ATen/ATen.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace langevin::model {
namespace {

BlockOptions OptionsFrom(const configs::UNetConfig& config) {
  return {.time_embed_dim = config.time_embed_dim(),
          // Null: only the middle block uses it.
          .norm_groups = config.norm_num_groups.value_or(
              configs::SkipBlockGroups(config.block_out_channels.back())),
          .norm_epsilon = config.norm_eps,
          .activation = ActivationFromName(config.act_fn),
          .dropout = config.dropout,
          .scale_shift = config.resnet_time_scale_shift == "scale_shift",
          .downsample_padding = config.downsample_padding};
}

// What `type` (a block type's name) and the config's resampling for blocks with attention say.
BlockShape ShapeFor(const std::string& type, const std::string& resample_type, bool resamples,
                    int64_t channels, const std::optional<int64_t>& head_dim) {
  BlockShape shape;
  if (absl::StartsWith(type, "Attn")) shape.attention_head_dim = head_dim.value_or(channels);
  if (resamples) {
    const bool resnet = absl::StartsWith(type, "Resnet") ||
                        (absl::StartsWith(type, "Attn") && resample_type == "resnet");
    shape.resample = resnet ? ResampleKind::kResnet : ResampleKind::kConv;
  }
  shape.out_channels = channels;
  return shape;
}

}  // namespace

UNet2D::UNet2D(const configs::UNetConfig& config, configs::Precision precision, at::Device device,
               int64_t trainable_multiple, const Conditioning& conditioning)
    : config_(config),
      precision_(precision),
      options_(OptionsFrom(config)),
      conv_in_(store_, "conv_in", config.in_channels, config.block_out_channels[0], 3, 1, 1),
      time_proj_(store_, config),
      time_embedding_(store_, "time_embedding", time_proj_.output_size(), config.time_embed_dim()),
      label_dropout_(conditioning.label_dropout) {
  const std::vector<int64_t>& channels = config_.block_out_channels;
  const std::optional<int64_t>& head_dim = config_.attention_head_dim;
  const size_t blocks = channels.size();

  if (conditioning.augment_dim > 0) {
    augment_embedding_ =
        store_.Declare({.name = kAugmentEmbeddingName,
                        .shape = {time_proj_.output_size(), conditioning.augment_dim},
                        .initializer = {Initializer::Kind::kConstant, 0},
                        .keep_fp32 = true});
  }
  if (config_.class_embed_type == "timestep") {
    class_embedding_.emplace(store_, "class_embedding", time_proj_.output_size(),
                             config_.time_embed_dim());
  } else if (!config_.class_embed_type.has_value() && config_.num_class_embeds.has_value()) {
    class_table_ =
        store_.Declare({.name = "class_embedding.weight",
                        .shape = {*config_.num_class_embeds + (label_dropout_ > 0 ? 1 : 0),
                                  config_.time_embed_dim()},
                        .initializer = {Initializer::Kind::kNormal, 1},
                        .keep_fp32 = true});
  }

  for (size_t i = 0; i < blocks; ++i) {
    BlockShape shape = ShapeFor(config_.down_block_types[i], config_.downsample_type,
                                /*resamples=*/i + 1 < blocks, channels[i], head_dim);
    shape.in_channels = channels[i == 0 ? 0 : i - 1];
    shape.layers = config_.layers_per_block;
    const std::string name = absl::StrCat("down_blocks.", i);
    if (configs::IsSkipBlock(config_.down_block_types[i])) {
      down_blocks_.emplace_back(SkipDownBlock(store_, name, options_, shape));
    } else {
      down_blocks_.emplace_back(DownBlock(store_, name, options_, shape));
    }
  }

  if (config_.mid_block_type.has_value()) {
    const bool scale_shift = options_.scale_shift;
    std::optional<int64_t> groups = config_.attn_norm_num_groups;
    if (!groups.has_value() && !scale_shift) groups = options_.norm_groups;
    mid_block_.emplace(store_, "mid_block", options_, channels.back(),
                       config_.add_attention
                           ? std::optional<int64_t>(head_dim.value_or(channels.back()))
                           : std::nullopt,
                       groups, config_.mid_block_scale_factor);
  }

  for (size_t i = 0; i < blocks; ++i) {
    const size_t level = blocks - 1 - i;
    BlockShape shape = ShapeFor(config_.up_block_types[i], config_.upsample_type,
                                /*resamples=*/i + 1 < blocks, channels[level], head_dim);
    shape.in_channels = channels[i == 0 ? level : level + 1];
    shape.skip_channels = channels[level == 0 ? 0 : level - 1];
    shape.layers = config_.layers_per_block + 1;
    const std::string name = absl::StrCat("up_blocks.", i);
    if (configs::IsSkipBlock(config_.up_block_types[i])) {
      up_blocks_.emplace_back(SkipUpBlock(store_, name, options_, shape));
    } else {
      up_blocks_.emplace_back(UpBlock(store_, name, options_, shape));
    }
  }

  conv_norm_out_.emplace(store_, "conv_norm_out",
                         config_.norm_num_groups.value_or(configs::SkipBlockGroups(channels[0])),
                         channels[0], config_.norm_eps);
  conv_out_.emplace(store_, "conv_out", channels[0], config_.out_channels, 3, 1, 1);
  if (conditioning.learns_uncertainty) uncertainty_.emplace(store_);
  store_.Allocate(precision, device, trainable_multiple);
}

at::Tensor UNet2D::Embedding(const at::Tensor& timesteps, const at::Tensor& class_labels,
                             const ForwardContext& context) const {
  at::Tensor code = time_proj_(timesteps);
  if (augment_embedding_ != nullptr && context.augment_labels.defined()) {
    code = code + at::linear(context.augment_labels, augment_embedding_->weight);
  }
  const at::Tensor embedding = time_embedding_(code);
  if (class_table_ != nullptr) {
    const at::Tensor labels =
        DropLabels(class_labels.to(at::kLong), label_dropout_, *config_.num_class_embeds, context);
    return embedding + at::embedding(class_table_->weight, labels);
  }
  if (class_embedding_.has_value())
    return embedding + (*class_embedding_)(time_proj_(class_labels));
  if (config_.class_embed_type == "identity") return embedding + class_labels.to(at::kFloat);
  return embedding;
}

at::Tensor UNet2D::Forward(const at::Tensor& sample, const at::Tensor& timesteps,
                           const at::Tensor& class_labels, const ForwardContext& context) const {
  const at::Tensor embedding = Embedding(timesteps, class_labels, context);
  const at::ScalarType dtype = precision_ == configs::Precision::kBf16 ? at::kBFloat16 : at::kFloat;
  const at::Tensor input = (config_.center_input_sample ? 2 * sample - 1 : sample)
                               .to(dtype)
                               .contiguous(at::MemoryFormat::ChannelsLast);

  at::Tensor x = conv_in_(input);
  SkipConnections skips{.features = {x}, .image = input};
  const auto apply = [&](const auto& block) { x = block(x, embedding, context, skips); };
  for (const auto& block : down_blocks_) std::visit(apply, block);
  if (mid_block_.has_value()) x = (*mid_block_)(x, embedding, context);
  skips.image = at::Tensor();
  for (const auto& block : up_blocks_) std::visit(apply, block);
  x = (*conv_out_)(conv_norm_out_->Activated(x, Activation::kSilu)).to(at::kFloat);
  if (skips.image.defined()) x = x + skips.image.to(at::kFloat);

  if (config_.time_embedding_type == "fourier") {
    x = x / timesteps.to(at::kFloat).view({-1, 1, 1, 1});
  }
  return x;
}

int64_t CountParameters(const configs::UNetConfig& config) {
  return UNet2D(config, configs::Precision::kFp32, at::kMeta).parameters().num_parameters();
}

}  // namespace langevin::model
