#include "configs/run_config_validation.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "configs/config_checks.h"

namespace langevin::configs {
namespace {

using Problem = std::optional<ConfigProblem>;

// More images than any run sees, and small enough that rounding up cannot overflow.
constexpr int64_t kMostImages = 1'000'000'000'000'000;
constexpr int64_t kLargestBatch = 1 << 24;

Problem FiniteFromZero(std::string field, double value) {
  return Require(std::isfinite(value) && value >= 0, std::move(field), value,
                 "a finite number, 0 or more");
}

// NaN is in no range.
Problem FromZeroToBelowOne(std::string field, double value) {
  return Require(value >= 0 && value < 1, std::move(field), value, "at least 0 and below 1");
}

Problem FromZeroToOne(std::string field, double value) {
  return Require(value >= 0 && value <= 1, std::move(field), value, "from 0 to 1");
}

// A share of a side or of a factor, of which some must be left.
Problem FromZeroToMost(std::string field, double value, double most) {
  return Require(value >= 0 && value <= most, std::move(field), value,
                 absl::StrFormat("from 0 to %.9g", most));
}

Problem FindProblemInModel(const RunConfig& config) {
  const ModelConfig& model = *config.model;
  if (const Problem problem = FindProblem(model)) {
    return ConfigProblem{absl::StrCat("model.", problem->field), problem->message};
  }
  if (model.augment_dim > 0 && config.data.augment.edm.probability == 0) {
    return ConfigProblem{
        "model.augment_dim",
        absl::StrFormat("value %d: needs data.augment.edm, whose numbers it takes, with a "
                        "probability above 0",
                        model.augment_dim)};
  }
  if (config.distributed.zero_stage.value_or(0) > 0 &&
      NeedsWholeWeights(model, config.train.precision)) {
    return ConfigProblem{"distributed.zero_stage",
                         "value 1: must be 0 for model.edm2_unet with train.precision BF16: its "
                         "weights are normalised after each update, which takes them whole"};
  }
  return std::nullopt;
}

// What process and model must agree on.
Problem FindProblemTogether(const ProcessConfig& process, const ModelConfig& model) {
  const auto* ddpm = std::get_if<DdpmConfig>(&process);
  const auto* unet = std::get_if<UNetConfig>(&model.architecture);
  if (unet != nullptr && unet->time_embedding_type == "learned") {
    if (ddpm == nullptr) {
      return ConfigProblem{
          "model.unet.time_embedding_type",
          "value \"learned\": needs diffusion { ddpm { } }: a table has no rows for "
          "times between steps; use \"positional\" or \"fourier\""};
    }
    if (unet->num_train_timesteps.value_or(0) < ddpm->num_train_timesteps) {
      return ConfigProblem{
          "diffusion.ddpm.num_train_timesteps",
          absl::StrFormat(
              "value %d: must be at most model.unet.num_train_timesteps, which is %d: the "
              "learned time embedding has no more",
              ddpm->num_train_timesteps, unet->num_train_timesteps.value_or(0))};
    }
  }
  const auto* sde = std::get_if<SdeConfig>(&process);
  if (unet != nullptr && unet->time_embedding_type == "fourier" &&
      (sde == nullptr || sde->kind != SdeKind::kVe)) {
    return ConfigProblem{"model.unet.time_embedding_type",
                         "value \"fourier\": needs diffusion { sde { kind: VE } }, whose time is "
                         "sigma: it takes the "
                         "logarithm of the time and divides by it; use \"positional\""};
  }
  const bool learns = LearnsVariance(process);
  if (model.out_channels() == (learns ? 2 : 1) * model.image_channels()) return std::nullopt;
  return ConfigProblem{
      absl::StrCat("model.", model.family(), ".out_channels"),
      absl::StrCat(
          "value ", model.out_channels(), learns ? ": must be twice" : ": must equal",
          model.self_conditioning ? " half of in_channels, which is " : " in_channels, which is ",
          model.image_channels(),
          learns ? ": variance LEARNED_RANGE has a second half for itself"
                 : ": the network predicts an image like the one it gets")};
}

Problem FindProblemInAugment(const AugmentConfig& config) {
  for (Problem problem : {FromZeroToMost("data.augment.crop", config.crop, 0.9),
                          FromZeroToMost("data.augment.scale", config.scale, 3),
                          FromZeroToMost("data.augment.rotate_degrees", config.rotate_degrees, 180),
                          FromZeroToMost("data.augment.translate", config.translate, 1),
                          FromZeroToMost("data.augment.intensity_scale", config.intensity_scale, 1),
                          FromZeroToMost("data.augment.intensity_shift", config.intensity_shift, 2),
                          FromZeroToMost("data.augment.noise", config.noise, 2),
                          FromZeroToOne("data.augment.edm.probability", config.edm.probability)}) {
    if (problem.has_value()) return problem;
  }
  return std::nullopt;
}

Problem WeightAboveZero(std::string field, double value) {
  return Require(std::isfinite(value) && value > 0, std::move(field), value,
                 "a finite number above 0");
}

Problem FindProblemInBlockOrder(const DataConfig& config, int64_t global_batch) {
  for (Problem problem : {InRange("data.block_images", config.block_images, 1, 1 << 20),
                          InRange("data.lanes", config.lanes, 1, 1 << 20),
                          InRange("data.window_blocks", config.window_blocks, 1, 1 << 20)}) {
    if (problem.has_value()) return problem;
  }
  if (config.order != DataOrder::kBlock) return std::nullopt;
  if (global_batch % config.lanes != 0) {
    return ConfigProblem{"data.lanes",
                         absl::StrFormat("value %d: must divide train.global_batch, which is %d",
                                         config.lanes, global_batch)};
  }
  if (config.class_balance > 0 || !config.mix.empty()) {
    return ConfigProblem{
        "data.order",
        absl::StrFormat("value BLOCK: cannot be together with data.%s, whose images lie apart; use "
                        "SAMPLE",
                        config.mix.empty() ? "class_balance" : "mix")};
  }
  return std::nullopt;
}

Problem FindProblemInData(const DataConfig& config, int64_t global_batch) {
  for (Problem problem :
       {InRange("data.loader_threads", config.loader_threads, 1, 256),
        InRange("data.prefetch", config.prefetch, 1, 1024),
        FromZeroToOne("data.checksum_rate", config.checksum_rate),
        FromZeroToOne("data.class_balance", config.class_balance),
        WeightAboveZero("data.weight", config.weight), FindProblemInAugment(config.augment),
        FindProblemInBlockOrder(config, global_batch)}) {
    if (problem.has_value()) return problem;
  }
  if (config.mix.size() > 1000) {
    return ConfigProblem{"data.mix", "has more than 1000 data sets"};
  }
  for (const MixConfig& mix : config.mix) {
    if (mix.path.empty()) {
      return ConfigProblem{"data.mix.path", "is not set; it must name a data set"};
    }
    if (Problem problem = WeightAboveZero("data.mix.weight", mix.weight)) return problem;
  }
  return std::nullopt;
}

Problem FindProblemInOptimizer(const OptimizerConfig& config) {
  for (Problem problem :
       {FiniteFromZero("optimizer.learning_rate", config.learning_rate),
        FromZeroToBelowOne("optimizer.beta1", config.beta1),
        FromZeroToBelowOne("optimizer.beta2", config.beta2),
        Require(std::isfinite(config.epsilon) && config.epsilon > 0, "optimizer.epsilon",
                config.epsilon, "a finite number above 0"),
        FiniteFromZero("optimizer.weight_decay", config.weight_decay),
        FiniteFromZero("optimizer.clip_norm", config.clip_norm),
        InRange("optimizer.warmup_images", config.warmup_images, 0, kMostImages)}) {
    if (problem.has_value()) return problem;
  }
  if (config.kind == OptimizerKind::kAdam && config.weight_decay != 0) {
    return ConfigProblem{
        "optimizer.weight_decay",
        absl::StrFormat("value %.9g: must be 0 where optimizer.kind is ADAM, which "
                        "has no weight decay; ADAMW has",
                        config.weight_decay)};
  }
  if (config.schedule == LearningRateSchedule::kInverseSqrt) {
    return InRange("optimizer.reference_images", config.reference_images, 1, kMostImages);
  }
  if (config.reference_images != 0) {
    return ConfigProblem{
        "optimizer.reference_images",
        absl::StrFormat("value %d: only the schedule INVERSE_SQRT has it; leave it out, or set "
                        "optimizer.schedule to INVERSE_SQRT",
                        config.reference_images)};
  }
  return std::nullopt;
}

Problem FindProblemInPowerEma(const EmaConfig& config) {
  // Below this a step is a large part of the profile; above, all weights since the beginning count
  // nearly alike.
  constexpr double kLeastStd = 0.005, kMostStd = 0.28;
  if (config.power_std.size() > 4) {
    return ConfigProblem{"ema.power_std",
                         absl::StrFormat("has %d averages: at most 4, each of which takes as much "
                                         "memory as the weights",
                                         config.power_std.size())};
  }
  for (auto std = config.power_std.begin(); std != config.power_std.end(); ++std) {
    if (Problem problem = Require(*std >= kLeastStd && *std <= kMostStd, "ema.power_std", *std,
                                  absl::StrFormat("from %.9g to %.9g", kLeastStd, kMostStd))) {
      return problem;
    }
    const bool repeats = std::any_of(config.power_std.begin(), std, [&](double other) {
      return std::abs(other - *std) < 1e-6;  // They must have names of their own.
    });
    if (Problem problem = Require(!repeats, "ema.power_std", *std, "there only once")) {
      return problem;
    }
  }
  if (config.power_std.empty() && config.snapshot_every_images > 0) {
    return ConfigProblem{
        "ema.snapshot_every_images",
        absl::StrFormat("value %d: only power_std's averages are stored; set ema.power_std, for "
                        "example to [0.05, 0.10]",
                        config.snapshot_every_images)};
  }
  return InRange("ema.snapshot_every_images", config.snapshot_every_images, 0, kMostImages);
}

Problem FindProblemInEma(const EmaConfig& config) {
  if (Problem problem = FindProblemInPowerEma(config)) return problem;
  if (!config.power_std.empty()) return std::nullopt;
  if (config.decay.has_value()) {
    if (Problem problem = FromZeroToBelowOne("ema.decay", *config.decay)) return problem;
  } else if (Problem problem =
                 InRange("ema.half_life_images", config.half_life_images, 1, kMostImages)) {
    return problem;
  }
  return Require(config.rampup_ratio >= 0 && config.rampup_ratio <= 1, "ema.rampup_ratio",
                 config.rampup_ratio, "from 0 to 1");
}

Problem FindProblemInTrain(const TrainConfig& config) {
  for (Problem problem : {InRange("train.total_images", config.total_images, 1, kMostImages),
                          InRange("train.global_batch", config.global_batch, 1, kLargestBatch),
                          InRange("train.microbatch", config.microbatch, 1, kLargestBatch)}) {
    if (problem.has_value()) return problem;
  }
  if (config.global_batch % config.microbatch == 0) return std::nullopt;
  return ConfigProblem{"train.microbatch",
                       absl::StrFormat("value %d: must divide train.global_batch, which is %d",
                                       config.microbatch, config.global_batch)};
}

Problem FindProblemInDistributed(const DistributedConfig& config) {
  if (const int stage = config.zero_stage.value_or(0); stage < 0 || stage > 1) {
    return ConfigProblem{
        "distributed.zero_stage",
        absl::StrFormat("value %d: must be 0 (each rank has the whole optimizer state) or 1 (each "
                        "has its slice)",
                        stage)};
  }
  if (Problem problem =
          Require(config.timeout_seconds >= 1 && config.timeout_seconds <= 86400,
                  "distributed.timeout_seconds", config.timeout_seconds, "from 1 to 86400")) {
    return problem;
  }
  return InRange("distributed.threads_per_rank", config.threads_per_rank, 0, 1024);
}

Problem FindProblemInMonitor(const MonitorConfig& config,
                             const std::optional<ProcessConfig>& process) {
  for (Problem problem :
       {InRange("monitor.log_every_images", config.log_every_images, 0, kMostImages),
        InRange("monitor.sample_every_images", config.sample_every_images, 0, kMostImages),
        InRange("monitor.sample_count", config.sample_count, 1, 1024),
        InRange("monitor.sample_steps", config.sample_steps, 1, 10000)}) {
    if (problem.has_value()) return problem;
  }
  const bool samples = config.sample_every_images > 0;
  const auto* ddpm = process.has_value() ? std::get_if<DdpmConfig>(&*process) : nullptr;
  if (samples && ddpm != nullptr && config.sample_steps > ddpm->num_train_timesteps) {
    return ConfigProblem{
        "monitor.sample_steps",
        absl::StrFormat("value %d: must be at most diffusion.ddpm.num_train_timesteps, which is %d",
                        config.sample_steps, ddpm->num_train_timesteps)};
  }
  return std::nullopt;
}

int64_t RoundUp(int64_t images, int64_t batch) { return (images + batch - 1) / batch * batch; }

}  // namespace

std::optional<ConfigProblem> FindProblem(const RunConfig& config) {
  if (config.model.has_value()) {
    if (Problem problem = FindProblemInModel(config)) return problem;
  }
  if (Problem problem = FindProblem(config.diffusion)) return problem;
  if (config.model.has_value() && config.diffusion.process.has_value()) {
    if (Problem problem = FindProblemTogether(*config.diffusion.process, *config.model)) {
      return problem;
    }
  }
  for (Problem problem :
       {FindProblemInOptimizer(config.optimizer), FindProblemInEma(config.ema),
        FindProblemInTrain(config.train),
        FindProblemInData(config.data, std::max<int64_t>(1, config.train.global_batch)),
        FindProblemInDistributed(config.distributed),
        InRange("checkpoint.every_images", config.checkpoint.every_images, 0, kMostImages),
        FiniteFromZero("checkpoint.every_seconds", config.checkpoint.every_seconds),
        InRange("checkpoint.keep", config.checkpoint.keep, 1, 1'000'000),
        FindProblemInMonitor(config.monitor, config.diffusion.process)}) {
    if (problem.has_value()) return problem;
  }
  return std::nullopt;
}

bool NeedsWholeWeights(const ModelConfig& model, Precision precision) {
  return precision == Precision::kBf16 &&
         std::holds_alternative<Edm2UNetConfig>(model.architecture);
}

void RoundUpToGlobalBatch(RunConfig& config) {
  const int64_t batch = config.train.global_batch;
  for (int64_t* images : {&config.train.total_images, &config.checkpoint.every_images,
                          &config.monitor.log_every_images, &config.monitor.sample_every_images,
                          &config.ema.snapshot_every_images}) {
    *images = RoundUp(*images, batch);
  }
}

}  // namespace langevin::configs
