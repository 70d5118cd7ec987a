#include "core/model/edm2_unet.h"

#include <algorithm>
#include <utility>

#include "ATen/ATen.h"
#include "absl/algorithm/container.h"
#include "absl/strings/str_cat.h"
#include "core/model/attention.h"

namespace langevin::model {
namespace {

int64_t EmbeddingChannels(const configs::Edm2UNetConfig& config) {
  return config.model_channels * *absl::c_max_element(config.channel_mult);
}

}  // namespace

MpBlock::MpBlock(ParameterStore& store, const std::string& name,
                 const configs::Edm2UNetConfig& config, const MpBlockShape& shape,
                 int64_t embedding_channels, uint32_t dropout_layer)
    : decoder_(shape.decoder),
      resample_(shape.resample),
      res_balance_(config.res_balance),
      attn_balance_(config.attn_balance),
      clip_(config.clip_act),
      heads_(shape.out_channels / config.channels_per_head),
      emb_gain_(DeclareGain(store, name + ".emb_gain")),
      conv_res0_(store, name + ".conv_res0", shape.decoder ? shape.in_channels : shape.out_channels,
                 shape.out_channels, 3),
      emb_linear_(store, name + ".emb_linear", embedding_channels, shape.out_channels, 0),
      dropout_(config.dropout, dropout_layer),
      conv_res1_(store, name + ".conv_res1", shape.out_channels, shape.out_channels, 3) {
  if (shape.in_channels != shape.out_channels) {
    conv_skip_.emplace(store, name + ".conv_skip", shape.in_channels, shape.out_channels, 1);
  }
  if (shape.attention) {
    attn_qkv_.emplace(store, name + ".attn_qkv", shape.out_channels, 3 * shape.out_channels, 1);
    attn_proj_.emplace(store, name + ".attn_proj", shape.out_channels, shape.out_channels, 1);
  }
}

at::Tensor MpBlock::Attend(const at::Tensor& x) const {
  const int64_t batch = x.size(0), channels = x.size(1), height = x.size(2), width = x.size(3);
  const int64_t pixels = height * width;
  // Query, key and value of a head have unit magnitude: their products are cosines, up to a scale.
  const at::Tensor parts = UnitMagnitude(
      (*attn_qkv_)(x).permute({0, 2, 3, 1}).reshape({batch, pixels, 3, heads_, channels / heads_}),
      -1);
  const auto part = [&](int64_t i) {
    return parts.select(2, i).reshape({batch, pixels, channels});
  };
  const at::Tensor mixed = MultiHeadAttention(part(0), part(1), part(2), heads_);
  return (*attn_proj_)(mixed.reshape({batch, height, width, channels}).permute({0, 3, 1, 2}));
}

at::Tensor MpBlock::operator()(at::Tensor x, const at::Tensor& embedding,
                               const ForwardContext& context) const {
  if (resample_ == Resample::kDown) x = AveragePool(x);
  if (resample_ == Resample::kUp) x = UpsampleNearest(x);
  if (!decoder_) {
    if (conv_skip_.has_value()) x = (*conv_skip_)(x);
    x = UnitMagnitude(x, 1);
  }
  const at::Tensor scale =
      (emb_linear_(embedding, emb_gain_->weight) + 1).to(x.scalar_type()).unsqueeze(2).unsqueeze(3);
  at::Tensor branch = MpSilu(conv_res0_(MpSilu(x)) * scale);
  branch = conv_res1_(dropout_(branch, context));
  if (decoder_ && conv_skip_.has_value()) x = (*conv_skip_)(x);
  x = MpSum(x, branch, res_balance_);
  if (attn_qkv_.has_value()) x = MpSum(x, Attend(x), attn_balance_);
  return at::clamp(x, -clip_, clip_);
}

Edm2UNet::Edm2UNet(const configs::Edm2UNetConfig& config, configs::Precision precision,
                   at::Device device, int64_t trainable_multiple, const Conditioning& conditioning)
    : config_(config),
      precision_(precision),
      label_dropout_(conditioning.label_dropout),
      emb_fourier_(store_, "emb_fourier", config.model_channels * config.channel_mult[0]),
      emb_noise_(store_, "emb_noise", config.model_channels * config.channel_mult[0],
                 EmbeddingChannels(config), 0, /*keep_fp32=*/true),
      // One channel more, of ones, takes the place of biases.
      conv_in_(store_, "conv_in", config.in_channels + 1,
               config.model_channels * config.channel_mult[0], 3) {
  const int64_t embedding_channels = EmbeddingChannels(config_);
  if (config_.num_classes.has_value()) {
    const int64_t null_labels = label_dropout_ > 0 ? 1 : 0;
    emb_label_.emplace(store_, "emb_label", *config_.num_classes + null_labels, embedding_channels,
                       0, /*keep_fp32=*/true);
  }
  MakeDecoder(MakeEncoder(embedding_channels), embedding_channels);
  conv_out_.emplace(store_, "conv_out", config_.model_channels * config_.channel_mult[0],
                    config_.in_channels, 3);
  out_gain_ = DeclareGain(store_, "out_gain");
  if (conditioning.learns_uncertainty) uncertainty_.emplace(store_);
  store_.Allocate(precision, device, trainable_multiple);
}

bool Edm2UNet::AttendsAt(size_t level) const {
  return absl::c_linear_search(config_.attention_levels, static_cast<int64_t>(level));
}

std::vector<int64_t> Edm2UNet::MakeEncoder(int64_t embedding_channels) {
  int64_t channels = config_.model_channels * config_.channel_mult[0];
  std::vector<int64_t> skip_channels = {channels};
  const auto add = [&](const MpBlockShape& shape) {
    encoder_.emplace_back(store_, absl::StrCat("encoder.", encoder_.size()), config_, shape,
                          embedding_channels, dropout_layers_++);
    channels = shape.out_channels;
    skip_channels.push_back(channels);
  };
  for (size_t level = 0; level < config_.channel_mult.size(); ++level) {
    if (level > 0) {
      add({.in_channels = channels, .out_channels = channels, .resample = Resample::kDown});
    }
    for (int64_t i = 0; i < config_.num_blocks; ++i) {
      add({.in_channels = channels,
           .out_channels = config_.model_channels * config_.channel_mult[level],
           .attention = AttendsAt(level)});
    }
  }
  return skip_channels;
}

void Edm2UNet::MakeDecoder(std::vector<int64_t> skip_channels, int64_t embedding_channels) {
  int64_t channels = skip_channels.back();
  const auto add = [&](MpBlockShape shape, bool takes_skip) {
    shape.decoder = true;
    decoder_.push_back({MpBlock(store_, absl::StrCat("decoder.", decoder_.size()), config_, shape,
                                embedding_channels, dropout_layers_++),
                        takes_skip});
    channels = shape.out_channels;
  };
  for (size_t level = config_.channel_mult.size(); level-- > 0;) {
    if (level + 1 == config_.channel_mult.size()) {
      add({.in_channels = channels, .out_channels = channels, .attention = true}, false);
      add({.in_channels = channels, .out_channels = channels}, false);
    } else {
      add({.in_channels = channels, .out_channels = channels, .resample = Resample::kUp}, false);
    }
    for (int64_t i = 0; i <= config_.num_blocks; ++i) {
      add({.in_channels = channels + skip_channels.back(),
           .out_channels = config_.model_channels * config_.channel_mult[level],
           .attention = AttendsAt(level)},
          true);
      skip_channels.pop_back();
    }
  }
}

at::Tensor Edm2UNet::Embedding(const at::Tensor& timesteps, const at::Tensor& class_labels,
                               const ForwardContext& context) const {
  at::Tensor embedding = emb_noise_(emb_fourier_(timesteps.to(at::kFloat) * config_.time_scale));
  if (emb_label_.has_value()) {
    const at::Tensor labels =
        DropLabels(class_labels.to(at::kLong), label_dropout_, *config_.num_classes, context);
    embedding = MpSum(embedding, emb_label_->OfOneHot(labels), config_.label_balance);
  }
  return MpSilu(embedding);
}

at::Tensor Edm2UNet::Forward(const at::Tensor& sample, const at::Tensor& timesteps,
                             const at::Tensor& class_labels, const ForwardContext& context) const {
  const at::ScalarType dtype = precision_ == configs::Precision::kBf16 ? at::kBFloat16 : at::kFloat;
  const at::Tensor embedding = Embedding(timesteps, class_labels, context).to(dtype);
  at::Tensor x = conv_in_(at::cat({sample, at::ones_like(sample.narrow(1, 0, 1))}, 1)
                              .to(dtype)
                              .contiguous(at::MemoryFormat::ChannelsLast));
  std::vector<at::Tensor> skips = {x};
  for (const MpBlock& block : encoder_) {
    x = block(x, embedding, context);
    skips.push_back(x);
  }
  for (const DecoderBlock& decoder : decoder_) {
    if (decoder.takes_skip) {
      x = MpCat(x, skips.back(), config_.concat_balance);
      skips.pop_back();
    }
    x = decoder.block(x, embedding, context);
  }
  return (*conv_out_)(x, out_gain_->weight).to(at::kFloat);
}

}  // namespace langevin::model
