#include "configs/run_config_convert.h"

namespace langevin::configs {
namespace {

// Enums have the same numbers on both sides.
static_assert(static_cast<int>(BetaSchedule::kCosine) == proto::COSINE);
static_assert(static_cast<int>(BetaSchedule::kScaledLinear) == proto::SCALED_LINEAR);
static_assert(static_cast<int>(Prediction::kSample) == proto::SAMPLE);
static_assert(static_cast<int>(Prediction::kVPrediction) == proto::V_PREDICTION);
static_assert(static_cast<int>(LearningRateSchedule::kLinearDecay) == proto::LINEAR_DECAY);
static_assert(static_cast<int>(LearningRateSchedule::kCosineDecay) == proto::COSINE_DECAY);
static_assert(static_cast<int>(Precision::kBf16) == proto::BF16);
static_assert(static_cast<int>(Backend::kMpi) == proto::MPI);
static_assert(static_cast<int>(Backend::kNccl) == proto::NCCL);
static_assert(static_cast<int>(Reduction::kFast) == proto::FAST);
static_assert(static_cast<int>(DataOrder::kBlock) == proto::DataConfig::BLOCK);

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

std::optional<ModelConfig> FromProto(const proto::ModelConfig& from) {
  ModelConfig to{.label_dropout = from.label_dropout(), .augment_dim = from.augment_dim()};
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
}

DdpmConfig FromProto(const proto::DdpmConfig& from) {
  return {.num_train_timesteps = from.num_train_timesteps(),
          .beta_schedule = static_cast<BetaSchedule>(from.beta_schedule()),
          .beta_start = from.beta_start(),
          .beta_end = from.beta_end(),
          .prediction = static_cast<Prediction>(from.prediction()),
          .clip_sample = from.clip_sample()};
}

void ToProto(const DdpmConfig& from, proto::DdpmConfig& to) {
  to.set_num_train_timesteps(from.num_train_timesteps);
  to.set_beta_schedule(static_cast<proto::BetaSchedule>(from.beta_schedule));
  to.set_beta_start(from.beta_start);
  to.set_beta_end(from.beta_end);
  to.set_prediction(static_cast<proto::Prediction>(from.prediction));
  to.set_clip_sample(from.clip_sample);
}

AugmentConfig FromProto(const proto::AugmentConfig& from) {
  return {.horizontal_flip = from.horizontal_flip(),
          .vertical_flip = from.vertical_flip(),
          .quarter_turns = from.quarter_turns(),
          .crop = from.crop(),
          .scale = from.scale(),
          .rotate_degrees = from.rotate_degrees(),
          .translate = from.translate(),
          .intensity_scale = from.intensity_scale(),
          .intensity_shift = from.intensity_shift(),
          .noise = from.noise(),
          .edm = {.probability = from.edm().probability(),
                  .x_flip = from.edm().x_flip(),
                  .y_flip = from.edm().y_flip(),
                  .scale = from.edm().scale(),
                  .rotate = from.edm().rotate(),
                  .anisotropy = from.edm().anisotropy(),
                  .translate = from.edm().translate()}};
}

void ToProto(const AugmentConfig& from, proto::AugmentConfig& to) {
  to.set_horizontal_flip(from.horizontal_flip);
  to.set_vertical_flip(from.vertical_flip);
  to.set_quarter_turns(from.quarter_turns);
  to.set_crop(from.crop);
  to.set_scale(from.scale);
  to.set_rotate_degrees(from.rotate_degrees);
  to.set_translate(from.translate);
  to.set_intensity_scale(from.intensity_scale);
  to.set_intensity_shift(from.intensity_shift);
  to.set_noise(from.noise);
  proto::EdmAugmentConfig& edm = *to.mutable_edm();
  edm.set_probability(from.edm.probability);
  edm.set_x_flip(from.edm.x_flip);
  edm.set_y_flip(from.edm.y_flip);
  edm.set_scale(from.edm.scale);
  edm.set_rotate(from.edm.rotate);
  edm.set_anisotropy(from.edm.anisotropy);
  edm.set_translate(from.edm.translate);
}

DataConfig FromProto(const proto::DataConfig& from) {
  DataConfig to = {.augment = FromProto(from.augment()),
                   .loader_threads = from.loader_threads(),
                   .prefetch = from.prefetch(),
                   .verify_checksums = from.verify_checksums(),
                   .checksum_rate = from.checksum_rate(),
                   .order = static_cast<DataOrder>(from.order()),
                   .block_images = from.block_images(),
                   .lanes = from.lanes(),
                   .window_blocks = from.window_blocks(),
                   .class_balance = from.class_balance(),
                   .weight = from.weight(),
                   .mix = {}};
  for (const proto::MixConfig& mix : from.mix()) {
    to.mix.push_back({.path = mix.path(), .weight = mix.weight()});
  }
  return to;
}

void ToProto(const DataConfig& from, proto::DataConfig& to) {
  ToProto(from.augment, *to.mutable_augment());
  to.set_loader_threads(from.loader_threads);
  to.set_prefetch(from.prefetch);
  to.set_verify_checksums(from.verify_checksums);
  to.set_checksum_rate(from.checksum_rate);
  to.set_order(static_cast<proto::DataConfig::Order>(from.order));
  to.set_block_images(from.block_images);
  to.set_lanes(from.lanes);
  to.set_window_blocks(from.window_blocks);
  to.set_class_balance(from.class_balance);
  to.set_weight(from.weight);
  for (const MixConfig& mix : from.mix) {
    proto::MixConfig& added = *to.add_mix();
    added.set_path(mix.path);
    added.set_weight(mix.weight);
  }
}

OptimizerConfig FromProto(const proto::OptimizerConfig& from) {
  return {.learning_rate = from.learning_rate(),
          .beta1 = from.beta1(),
          .beta2 = from.beta2(),
          .epsilon = from.epsilon(),
          .weight_decay = from.weight_decay(),
          .clip_norm = from.clip_norm(),
          .warmup_images = from.warmup_images(),
          .schedule = static_cast<LearningRateSchedule>(from.schedule())};
}

void ToProto(const OptimizerConfig& from, proto::OptimizerConfig& to) {
  to.set_learning_rate(from.learning_rate);
  to.set_beta1(from.beta1);
  to.set_beta2(from.beta2);
  to.set_epsilon(from.epsilon);
  to.set_weight_decay(from.weight_decay);
  to.set_clip_norm(from.clip_norm);
  to.set_warmup_images(from.warmup_images);
  to.set_schedule(static_cast<proto::LearningRateSchedule>(from.schedule));
}

EmaConfig FromProto(const proto::EmaConfig& from) {
  EmaConfig to;
  if (from.has_decay()) to.decay = from.decay();
  if (from.has_half_life_images()) to.half_life_images = from.half_life_images();
  to.rampup_ratio = from.rampup_ratio();
  return to;
}

void ToProto(const EmaConfig& from, proto::EmaConfig& to) {
  if (from.decay.has_value()) {
    to.set_decay(*from.decay);
  } else {
    to.set_half_life_images(from.half_life_images);
  }
  to.set_rampup_ratio(from.rampup_ratio);
}

}  // namespace

RunConfig FromProto(const proto::RunConfig& from) {
  RunConfig to;
  to.seed = from.seed();
  to.model = FromProto(from.model());
  if (from.diffusion().has_ddpm()) to.ddpm = FromProto(from.diffusion().ddpm());
  to.data = FromProto(from.data());
  to.optimizer = FromProto(from.optimizer());
  to.ema = FromProto(from.ema());
  to.train = {.total_images = from.train().total_images(),
              .global_batch = from.train().global_batch(),
              .microbatch = from.train().microbatch(),
              .precision = static_cast<Precision>(from.train().precision())};
  to.distributed = {
      .backend = static_cast<Backend>(from.distributed().backend()),
      .reduction = static_cast<Reduction>(from.distributed().reduction()),
      .zero_stage = from.distributed().zero_stage(),
      .timeout_seconds = from.distributed().timeout_seconds(),
      .threads_per_rank = from.distributed().threads_per_rank(),
      .gradient_precision = static_cast<Precision>(from.distributed().gradient_precision())};
  if (from.distributed().has_overlap()) to.distributed.overlap = from.distributed().overlap();
  to.checkpoint = {.every_images = from.checkpoint().every_images(),
                   .every_seconds = from.checkpoint().every_seconds(),
                   .keep = from.checkpoint().keep()};
  to.monitor = {.log_every_images = from.monitor().log_every_images(),
                .sample_every_images = from.monitor().sample_every_images(),
                .sample_count = from.monitor().sample_count(),
                .sample_steps = from.monitor().sample_steps()};
  return to;
}

proto::RunConfig ToProto(const RunConfig& from) {
  proto::RunConfig to;
  to.set_seed(from.seed);
  if (from.model.has_value()) ToProto(*from.model, *to.mutable_model());
  if (from.ddpm.has_value()) ToProto(*from.ddpm, *to.mutable_diffusion()->mutable_ddpm());
  ToProto(from.data, *to.mutable_data());
  ToProto(from.optimizer, *to.mutable_optimizer());
  ToProto(from.ema, *to.mutable_ema());
  proto::TrainConfig& train = *to.mutable_train();
  train.set_total_images(from.train.total_images);
  train.set_global_batch(from.train.global_batch);
  train.set_microbatch(from.train.microbatch);
  train.set_precision(static_cast<proto::Precision>(from.train.precision));
  proto::DistributedConfig& distributed = *to.mutable_distributed();
  distributed.set_backend(static_cast<proto::Backend>(from.distributed.backend));
  distributed.set_reduction(static_cast<proto::Reduction>(from.distributed.reduction));
  distributed.set_zero_stage(from.distributed.zero_stage);
  distributed.set_timeout_seconds(from.distributed.timeout_seconds);
  distributed.set_threads_per_rank(from.distributed.threads_per_rank);
  distributed.set_gradient_precision(
      static_cast<proto::Precision>(from.distributed.gradient_precision));
  if (from.distributed.overlap.has_value()) distributed.set_overlap(*from.distributed.overlap);
  proto::CheckpointConfig& checkpoint = *to.mutable_checkpoint();
  checkpoint.set_every_images(from.checkpoint.every_images);
  checkpoint.set_every_seconds(from.checkpoint.every_seconds);
  checkpoint.set_keep(from.checkpoint.keep);
  proto::MonitorConfig& monitor = *to.mutable_monitor();
  monitor.set_log_every_images(from.monitor.log_every_images);
  monitor.set_sample_every_images(from.monitor.sample_every_images);
  monitor.set_sample_count(from.monitor.sample_count);
  monitor.set_sample_steps(from.monitor.sample_steps);
  return to;
}

}  // namespace langevin::configs
