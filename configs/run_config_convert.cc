#include "configs/run_config_convert.h"

namespace langevin::configs {
namespace {

// Enums have the same numbers on both sides.
static_assert(static_cast<int>(LearningRateSchedule::kLinearDecay) == proto::LINEAR_DECAY);
static_assert(static_cast<int>(LearningRateSchedule::kCosineDecay) == proto::COSINE_DECAY);
static_assert(static_cast<int>(LearningRateSchedule::kInverseSqrt) == proto::INVERSE_SQRT);
static_assert(static_cast<int>(OptimizerKind::kAdam) == proto::ADAM);
static_assert(static_cast<int>(Precision::kBf16) == proto::BF16);
static_assert(static_cast<int>(Backend::kMpi) == proto::MPI);
static_assert(static_cast<int>(Backend::kNccl) == proto::NCCL);
static_assert(static_cast<int>(Reduction::kFast) == proto::FAST);
static_assert(static_cast<int>(DataOrder::kBlock) == proto::DataConfig::BLOCK);

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
  // The default is AdamW's; Adam has no weight decay.
  const bool decays = from.kind() != proto::ADAM || from.has_weight_decay();
  return {.kind = static_cast<OptimizerKind>(from.kind()),
          .learning_rate = from.learning_rate(),
          .beta1 = from.beta1(),
          .beta2 = from.beta2(),
          .epsilon = from.epsilon(),
          .weight_decay = decays ? from.weight_decay() : 0,
          .clip_norm = from.clip_norm(),
          .warmup_images = from.warmup_images(),
          .schedule = static_cast<LearningRateSchedule>(from.schedule()),
          .reference_images = from.reference_images()};
}

void ToProto(const OptimizerConfig& from, proto::OptimizerConfig& to) {
  to.set_kind(static_cast<proto::OptimizerKind>(from.kind));
  to.set_learning_rate(from.learning_rate);
  to.set_beta1(from.beta1);
  to.set_beta2(from.beta2);
  to.set_epsilon(from.epsilon);
  to.set_weight_decay(from.weight_decay);
  to.set_clip_norm(from.clip_norm);
  to.set_warmup_images(from.warmup_images);
  to.set_schedule(static_cast<proto::LearningRateSchedule>(from.schedule));
  to.set_reference_images(from.reference_images);
}

EmaConfig FromProto(const proto::EmaConfig& from) {
  EmaConfig to;
  if (from.has_decay()) to.decay = from.decay();
  if (from.has_half_life_images()) to.half_life_images = from.half_life_images();
  to.rampup_ratio = from.rampup_ratio();
  to.power_std.assign(from.power_std().begin(), from.power_std().end());
  to.snapshot_every_images = from.snapshot_every_images();
  return to;
}

void ToProto(const EmaConfig& from, proto::EmaConfig& to) {
  to.mutable_power_std()->Assign(from.power_std.begin(), from.power_std.end());
  to.set_snapshot_every_images(from.snapshot_every_images);
  if (!from.power_std.empty()) return;  // What it takes the place of is not used.
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
  to.diffusion = FromProto(from.diffusion());
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
      .timeout_seconds = from.distributed().timeout_seconds(),
      .threads_per_rank = from.distributed().threads_per_rank(),
      .gradient_precision = static_cast<Precision>(from.distributed().gradient_precision())};
  if (from.distributed().has_zero_stage()) {
    to.distributed.zero_stage = from.distributed().zero_stage();
  }
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
  ToProto(from.diffusion, *to.mutable_diffusion());
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
  if (from.distributed.zero_stage.has_value()) {
    distributed.set_zero_stage(*from.distributed.zero_stage);
  }
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
