#include "configs/run_config_convert.h"

namespace langevin::configs {
namespace {

UNetConfig FromProto(const proto::UNetConfig& from) {
  UNetConfig to;
  to.sample_size.assign(from.sample_size().begin(), from.sample_size().end());
  to.in_channels = from.in_channels();
  to.out_channels = from.out_channels();
  to.center_input_sample = from.center_input_sample();
  to.time_embedding_type = from.time_embedding_type();
  if (from.has_time_embedding_dim()) to.time_embedding_dim = from.time_embedding_dim();
  to.freq_shift = from.freq_shift();
  to.flip_sin_to_cos = from.flip_sin_to_cos();
  to.down_block_types.assign(from.down_block_types().begin(), from.down_block_types().end());
  to.mid_block_type = from.mid_block_type();
  if (from.mid_block_type().empty()) to.mid_block_type.reset();
  to.up_block_types.assign(from.up_block_types().begin(), from.up_block_types().end());
  to.block_out_channels.assign(from.block_out_channels().begin(), from.block_out_channels().end());
  to.layers_per_block = from.layers_per_block();
  to.mid_block_scale_factor = from.mid_block_scale_factor();
  to.downsample_padding = from.downsample_padding();
  to.downsample_type = from.downsample_type();
  to.upsample_type = from.upsample_type();
  to.dropout = from.dropout();
  to.act_fn = from.act_fn();
  if (from.has_attention_head_dim()) to.attention_head_dim = from.attention_head_dim();
  to.norm_num_groups = from.norm_num_groups();
  if (from.norm_num_groups() == 0) to.norm_num_groups.reset();
  if (from.has_attn_norm_num_groups()) to.attn_norm_num_groups = from.attn_norm_num_groups();
  to.norm_eps = from.norm_eps();
  to.resnet_time_scale_shift = from.resnet_time_scale_shift();
  to.add_attention = from.add_attention();
  if (from.has_class_embed_type()) to.class_embed_type = from.class_embed_type();
  if (from.has_num_class_embeds()) to.num_class_embeds = from.num_class_embeds();
  if (from.has_num_train_timesteps()) to.num_train_timesteps = from.num_train_timesteps();
  return to;
}

void ToProto(const UNetConfig& from, proto::UNetConfig& to) {
  to.mutable_sample_size()->Assign(from.sample_size.begin(), from.sample_size.end());
  to.set_in_channels(from.in_channels);
  to.set_out_channels(from.out_channels);
  to.set_center_input_sample(from.center_input_sample);
  to.set_time_embedding_type(from.time_embedding_type);
  if (from.time_embedding_dim.has_value()) to.set_time_embedding_dim(*from.time_embedding_dim);
  to.set_freq_shift(from.freq_shift);
  to.set_flip_sin_to_cos(from.flip_sin_to_cos);
  to.mutable_down_block_types()->Assign(from.down_block_types.begin(), from.down_block_types.end());
  to.set_mid_block_type(from.mid_block_type.value_or(""));
  to.mutable_up_block_types()->Assign(from.up_block_types.begin(), from.up_block_types.end());
  to.mutable_block_out_channels()->Assign(from.block_out_channels.begin(),
                                          from.block_out_channels.end());
  to.set_layers_per_block(from.layers_per_block);
  to.set_mid_block_scale_factor(from.mid_block_scale_factor);
  to.set_downsample_padding(from.downsample_padding);
  to.set_downsample_type(from.downsample_type);
  to.set_upsample_type(from.upsample_type);
  to.set_dropout(from.dropout);
  to.set_act_fn(from.act_fn);
  if (from.attention_head_dim.has_value()) to.set_attention_head_dim(*from.attention_head_dim);
  to.set_norm_num_groups(from.norm_num_groups.value_or(0));
  if (from.attn_norm_num_groups.has_value()) {
    to.set_attn_norm_num_groups(*from.attn_norm_num_groups);
  }
  to.set_norm_eps(from.norm_eps);
  to.set_resnet_time_scale_shift(from.resnet_time_scale_shift);
  to.set_add_attention(from.add_attention);
  if (from.class_embed_type.has_value()) to.set_class_embed_type(*from.class_embed_type);
  if (from.num_class_embeds.has_value()) to.set_num_class_embeds(*from.num_class_embeds);
  if (from.num_train_timesteps.has_value()) to.set_num_train_timesteps(*from.num_train_timesteps);
}

DiTConfig FromProto(const proto::DiTConfig& from) {
  DiTConfig to = {.num_attention_heads = from.num_attention_heads(),
                  .attention_head_dim = from.attention_head_dim(),
                  .in_channels = from.in_channels(),
                  .out_channels = {},
                  .num_layers = from.num_layers(),
                  .dropout = from.dropout(),
                  .norm_num_groups = from.norm_num_groups(),
                  .attention_bias = from.attention_bias(),
                  .sample_size = {},
                  .patch_size = from.patch_size(),
                  .activation_fn = from.activation_fn(),
                  .num_embeds_ada_norm = from.num_embeds_ada_norm(),
                  .upcast_attention = from.upcast_attention(),
                  .norm_type = from.norm_type(),
                  .norm_elementwise_affine = from.norm_elementwise_affine(),
                  .norm_eps = from.norm_eps()};
  if (from.has_out_channels()) to.out_channels = from.out_channels();
  if (from.has_sample_size()) to.sample_size = from.sample_size();
  return to;
}

void ToProto(const DiTConfig& from, proto::DiTConfig& to) {
  to.set_num_attention_heads(from.num_attention_heads);
  to.set_attention_head_dim(from.attention_head_dim);
  to.set_in_channels(from.in_channels);
  if (from.out_channels.has_value()) to.set_out_channels(*from.out_channels);
  to.set_num_layers(from.num_layers);
  to.set_dropout(from.dropout);
  to.set_norm_num_groups(from.norm_num_groups);
  to.set_attention_bias(from.attention_bias);
  if (from.sample_size.has_value()) to.set_sample_size(*from.sample_size);
  to.set_patch_size(from.patch_size);
  to.set_activation_fn(from.activation_fn);
  to.set_num_embeds_ada_norm(from.num_embeds_ada_norm);
  to.set_upcast_attention(from.upcast_attention);
  to.set_norm_type(from.norm_type);
  to.set_norm_elementwise_affine(from.norm_elementwise_affine);
  to.set_norm_eps(from.norm_eps);
}

Edm2UNetConfig FromProto(const proto::Edm2UNetConfig& from) {
  Edm2UNetConfig to;
  to.sample_size.assign(from.sample_size().begin(), from.sample_size().end());
  to.in_channels = from.in_channels();
  to.model_channels = from.model_channels();
  if (!from.channel_mult().empty()) {
    to.channel_mult.assign(from.channel_mult().begin(), from.channel_mult().end());
  }
  to.num_blocks = from.num_blocks();
  to.attention_levels.assign(from.attention_levels().begin(), from.attention_levels().end());
  to.channels_per_head = from.channels_per_head();
  if (from.has_num_classes()) to.num_classes = from.num_classes();
  to.dropout = from.dropout();
  to.label_balance = from.label_balance();
  to.concat_balance = from.concat_balance();
  to.res_balance = from.res_balance();
  to.attn_balance = from.attn_balance();
  to.clip_act = from.clip_act();
  to.time_scale = from.time_scale();
  return to;
}

void ToProto(const Edm2UNetConfig& from, proto::Edm2UNetConfig& to) {
  to.mutable_sample_size()->Assign(from.sample_size.begin(), from.sample_size.end());
  to.set_in_channels(from.in_channels);
  to.set_model_channels(from.model_channels);
  to.mutable_channel_mult()->Assign(from.channel_mult.begin(), from.channel_mult.end());
  to.set_num_blocks(from.num_blocks);
  to.mutable_attention_levels()->Assign(from.attention_levels.begin(), from.attention_levels.end());
  to.set_channels_per_head(from.channels_per_head);
  if (from.num_classes.has_value()) to.set_num_classes(*from.num_classes);
  to.set_dropout(from.dropout);
  to.set_label_balance(from.label_balance);
  to.set_concat_balance(from.concat_balance);
  to.set_res_balance(from.res_balance);
  to.set_attn_balance(from.attn_balance);
  to.set_clip_act(from.clip_act);
  to.set_time_scale(from.time_scale);
}

}  // namespace

std::optional<ModelConfig> FromProto(const proto::ModelConfig& from) {
  ModelConfig to{.label_dropout = from.label_dropout(),
                 .augment_dim = from.augment_dim(),
                 .self_conditioning = from.self_conditioning()};
  switch (from.architecture_case()) {
    case proto::ModelConfig::kUnet:
      to.architecture = FromProto(from.unet());
      return to;
    case proto::ModelConfig::kDit:
      to.architecture = FromProto(from.dit());
      return to;
    case proto::ModelConfig::kEdm2Unet:
      to.architecture = FromProto(from.edm2_unet());
      return to;
    case proto::ModelConfig::ARCHITECTURE_NOT_SET:
      break;
  }
  return std::nullopt;
}

void ToProto(const ModelConfig& from, proto::ModelConfig& to) {
  if (const auto* unet = std::get_if<UNetConfig>(&from.architecture)) {
    ToProto(*unet, *to.mutable_unet());
  } else if (const auto* dit = std::get_if<DiTConfig>(&from.architecture)) {
    ToProto(*dit, *to.mutable_dit());
  } else {
    ToProto(std::get<Edm2UNetConfig>(from.architecture), *to.mutable_edm2_unet());
  }
  to.set_label_dropout(from.label_dropout);
  to.set_augment_dim(from.augment_dim);
  to.set_self_conditioning(from.self_conditioning);
}

}  // namespace langevin::configs
