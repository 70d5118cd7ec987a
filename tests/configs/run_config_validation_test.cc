#include "configs/run_config_validation.h"

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/configs/test_configs.h"

namespace langevin::configs {
namespace {

RunConfig Valid() {
  RunConfig config;
  config.model = ModelConfig{.architecture = SmallUNet()};
  config.diffusion.process = DdpmConfig();
  config.train = {.total_images = 640, .global_batch = 64, .microbatch = 32};
  return config;
}

DdpmConfig& Ddpm(RunConfig& config) { return std::get<DdpmConfig>(*config.diffusion.process); }

std::string ProblemOf(const std::function<void(RunConfig&)>& change) {
  RunConfig config = Valid();
  change(config);
  const std::optional<ConfigProblem> problem = FindProblem(config);
  return problem.has_value() ? problem->field + ": " + problem->message : "none";
}

TEST(RunConfigValidationTest, TheEdgesOfTheRangesAreAllowed) {
  const std::vector<std::function<void(RunConfig&)>> changes = {
      [](RunConfig&) {},
      [](RunConfig& c) { c.model.reset(), c.diffusion.process.reset(); },
      [](RunConfig& c) { c.optimizer = {.learning_rate = 0, .beta1 = 0, .beta2 = 0}; },
      [](RunConfig& c) { c.optimizer.clip_norm = c.optimizer.weight_decay = 0; },
      [](RunConfig& c) { c.ema = {.decay = 0, .rampup_ratio = 0}; },
      [](RunConfig& c) { c.ema = {.half_life_images = 1, .rampup_ratio = 1}; },
      [](RunConfig& c) {
        c.ema = {.power_std = {0.28, 0.005, 0.05, 0.1}};
      },
      // Not used beside power_std.
      [](RunConfig& c) { c.ema = {.half_life_images = 0, .rampup_ratio = 9, .power_std = {0.1}}; },
      [](RunConfig& c) { c.data = {.loader_threads = 256, .prefetch = 1024}; },
      [](RunConfig& c) { c.data.augment = {.crop = 0.9, .rotate_degrees = 180, .translate = 1}; },
      [](RunConfig& c) { c.data.augment.edm.probability = 1; },
      [](RunConfig& c) { c.data.checksum_rate = c.data.class_balance = 1; },
      [](RunConfig& c) { c.data.mix = {{.path = "a", .weight = 1e-9}}; },
      [](RunConfig& c) { c.data.order = DataOrder::kBlock, c.data.lanes = 64; },
      // Lanes do not matter to order SAMPLE.
      [](RunConfig& c) { c.data.lanes = 7; },
      [](RunConfig& c) { c.distributed.timeout_seconds = 1; },
      [](RunConfig& c) { c.distributed.timeout_seconds = 86400; },
      [](RunConfig& c) { c.checkpoint = {.every_images = 0, .every_seconds = 0, .keep = 1}; },
      [](RunConfig& c) { c.monitor.sample_count = 1024; },
      [](RunConfig& c) { c.train = {.total_images = 1, .global_batch = 1, .microbatch = 1}; },
      // No grids are drawn, so their steps do not matter.
      [](RunConfig& c) { Ddpm(c).num_train_timesteps = 1; },
      [](RunConfig& c) {
        c.model->unet().time_embedding_type = "learned";
        c.model->unet().num_train_timesteps = 1000;
      },
  };
  for (size_t i = 0; i < changes.size(); ++i) EXPECT_EQ(ProblemOf(changes[i]), "none") << i;
}

TEST(RunConfigValidationTest, EveryFamilyIsPossibleWithItsDefaults) {
  for (const ProcessConfig& process :
       {ProcessConfig(DdpmConfig()), ProcessConfig(EdmConfig()), ProcessConfig(FlowConfig()),
        ProcessConfig(SdeConfig()), ProcessConfig(SdeConfig{.kind = SdeKind::kSubVp}),
        ProcessConfig(SdeConfig{.kind = SdeKind::kVe}),
        ProcessConfig(FlowConfig{.path = FlowPath::kTrigonometric})}) {
    for (const Weighting weighting : {Weighting::kSimple, Weighting::kMinSnr,
                                      Weighting::kSoftMinSnr, Weighting::kP2, Weighting::kEdm}) {
      EXPECT_EQ(ProblemOf([&](RunConfig& c) {
                  c.diffusion.process = process;
                  c.diffusion.loss = {.weighting = weighting, .uncertainty = true};
                  c.diffusion.times.stratified = true;
                }),
                "none");
    }
  }
}

// Each with the reason, which is what a person who tries it wants to know.
TEST(RunConfigValidationTest, CombinationsWithoutSenseAreRefused) {
  struct Case {
    std::function<void(DiffusionConfig&)> change;
    std::string problem;
  };
  const std::vector<Case> cases = {
      {[](DiffusionConfig& d) { d.process = DdpmConfig{.prediction = Prediction::kVelocity}; },
       "diffusion.ddpm.prediction: value VELOCITY: must be EPSILON, SAMPLE or V_PREDICTION: no "
       "program that samples DDPM models knows others"},
      {[](DiffusionConfig& d) { d.process = DdpmConfig{.rescale_betas_zero_snr = true}; },
       "diffusion.ddpm.rescale_betas_zero_snr: value true: cannot be with prediction EPSILON, "
       "which at the last step, pure noise, says nothing of the image; use V_PREDICTION or "
       "SAMPLE"},
      {[](DiffusionConfig& d) { d.process = EdmConfig{.sigma_min = 90}; },
       "diffusion.edm.sigma_max: value 80: must be a finite number above sigma_min, which is 90"},
      {[](DiffusionConfig& d) { d.process = EdmConfig{.prediction = Prediction::kVPrediction}; },
       "diffusion.edm.prediction: value V_PREDICTION: must be PRECONDITIONED, EPSILON, SAMPLE or "
       "SCORE: the image keeps its size, so that the others would be of very different sizes at "
       "different noise"},
      {[](DiffusionConfig& d) { d.process = FlowConfig{.prediction = Prediction::kEpsilon}; },
       "diffusion.flow.prediction: value EPSILON: must be VELOCITY, SAMPLE or V_PREDICTION: at t "
       "= 1, pure noise, the others say nothing of the image"},
      {[](DiffusionConfig& d) {
         d.process = SdeConfig{.kind = SdeKind::kVe, .prediction = Prediction::kVPrediction};
       },
       "diffusion.sde.prediction: value V_PREDICTION: needs kind VP, where alpha^2 + sigma^2 = 1"},
      {[](DiffusionConfig& d) {
         d.process = FlowConfig();
         d.loss.weighting = Weighting::kLikelihood;
       },
       "diffusion.loss.weighting: value LIKELIHOOD: needs diffusion { ddpm { } } or { sde { } }"},
      {[](DiffusionConfig& d) {
         d.process = DdpmConfig{.num_train_timesteps = 1};
         d.loss.weighting = Weighting::kLikelihood;
       },
       "diffusion.loss.weighting: value LIKELIHOOD: needs diffusion.ddpm.num_train_timesteps above "
       "1: the variance of a single step is 0"},
      {[](DiffusionConfig& d) {
         d.process = DdpmConfig{.variance = Variance::kLearnedRange};
         d.loss.weighting = Weighting::kMinSnr;
       },
       "diffusion.ddpm.variance: value LEARNED_RANGE: needs diffusion.loss.weighting SIMPLE (the "
       "hybrid loss) or LIKELIHOOD (the bound alone): they have weightings of their own"},
      {[](DiffusionConfig& d) {
         d.process = SdeConfig();
         d.times.distribution = TimeDistribution::kImportance;
       },
       "diffusion.times.distribution: value IMPORTANCE: needs diffusion { ddpm { } }: it remembers "
       "the losses of each step, and only ddpm's times are steps"},
      {[](DiffusionConfig& d) {
         d.times = {.distribution = TimeDistribution::kImportance, .deviation = 1};
       },
       "diffusion.times.deviation: must not be set: the distribution IMPORTANCE has none"},
      {[](DiffusionConfig& d) {
         d.loss = {.weighting = Weighting::kLikelihood, .uncertainty = true};
       },
       "diffusion.loss.uncertainty: value true: cannot be with weighting LIKELIHOOD: divided by "
       "what is learned, the loss is no bound any more; use another weighting"},
      {[](DiffusionConfig& d) {
         d.process = DdpmConfig{.variance = Variance::kLearnedRange};
         d.loss.uncertainty = true;
       },
       "diffusion.loss.uncertainty: value true: cannot be with diffusion.ddpm.variance "
       "LEARNED_RANGE, whose hybrid loss has a weighting of its own; use FIXED_SMALL or "
       "FIXED_LARGE"},
      {[](DiffusionConfig& d) {
         d.loss.uncertainty = true;
         d.times.distribution = TimeDistribution::kImportance;
       },
       "diffusion.times.distribution: value IMPORTANCE: cannot be with diffusion.loss.uncertainty, "
       "which makes the losses of all steps alike; use UNIFORM"},
      {[](DiffusionConfig& d) { d.loss.gamma = 3; },
       "diffusion.loss.gamma: value 3: must not be set: only the weightings MIN_SNR, SOFT_MIN_SNR "
       "and P2 have it"},
      {[](DiffusionConfig& d) { d.times.distribution = TimeDistribution::kLogNormal; },
       "diffusion.times.distribution: value LOG_NORMAL: must be UNIFORM or IMPORTANCE for ddpm, "
       "whose times are steps; weight the loss instead"},
      {[](DiffusionConfig& d) {
         d.process = EdmConfig();
         d.times.distribution = TimeDistribution::kUniform;
       },
       "diffusion.times.distribution: value UNIFORM: must be LOG_NORMAL for edm: nearly all of "
       "[0, sigma_max] is noise"},
      {[](DiffusionConfig& d) { d.times.mean = 1; },
       "diffusion.times.mean: must not be set: the distribution UNIFORM has none"},
      {[](DiffusionConfig& d) { d.data_sigma = 0; },
       "diffusion.data_sigma: value 0: must be above 0 and at most 1000"},
      {[](DiffusionConfig& d) { d.process = DdpmConfig{.variance = Variance::kLearnedRange}; },
       "model.unet.out_channels: value 2: must be twice in_channels, which is 2: variance "
       "LEARNED_RANGE has a second half for itself"},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(ProblemOf([&](RunConfig& config) { c.change(config.diffusion); }), c.problem);
  }
}

TEST(RunConfigValidationTest, NamesFieldValueAndWhatIsAllowed) {
  struct Case {
    std::function<void(RunConfig&)> change;
    std::string problem;
  };
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const std::string below_one = "must be at least 0 and below 1";
  const std::string from_zero = "must be a finite number, 0 or more";
  const std::vector<Case> cases = {
      {[](RunConfig& c) { c.data.checksum_rate = kNan; },
       "data.checksum_rate: value nan: must be from 0 to 1"},
      {[](RunConfig& c) { c.data.class_balance = 1.5; },
       "data.class_balance: value 1.5: must be from 0 to 1"},
      {[](RunConfig& c) { c.data.augment.crop = 1; },
       "data.augment.crop: value 1: must be from 0 to 0.9"},
      {[](RunConfig& c) { c.data.augment.rotate_degrees = -1; },
       "data.augment.rotate_degrees: value -1: must be from 0 to 180"},
      {[](RunConfig& c) { c.data.augment.edm.probability = 12; },
       "data.augment.edm.probability: value 12: must be from 0 to 1"},
      {[](RunConfig& c) { c.data.weight = 0; },
       "data.weight: value 0: must be a finite number "
       "above 0"},
      {[](RunConfig& c) { c.data.mix = {{.path = "", .weight = 1}}; },
       "data.mix.path: is not set; it must name a data set"},
      {[](RunConfig& c) { c.data.mix = {{.path = "a", .weight = kInfinity}}; },
       "data.mix.weight: value inf: must be a finite number above 0"},
      {[](RunConfig& c) { c.data.order = DataOrder::kBlock, c.data.lanes = 7; },
       "data.lanes: value 7: must divide train.global_batch, which is 64"},
      {[](RunConfig& c) { c.data.order = DataOrder::kBlock, c.data.class_balance = 1; },
       "data.order: value BLOCK: cannot be together with data.class_balance, whose images lie "
       "apart; "
       "use SAMPLE"},
      {[](RunConfig& c) { c.model->unet().norm_num_groups = 7; },
       "model.unet.norm_num_groups: value 7: must divide each of block_out_channels, and does not "
       "divide 16"},
      {[](RunConfig& c) { c.model->unet().out_channels = 4; },
       "model.unet.out_channels: value 4: must equal in_channels, which is 2: the network predicts "
       "an image like the one it gets"},
      {[](RunConfig& c) {
         c.model->unet().time_embedding_type = "learned";
         c.model->unet().num_train_timesteps = 999;
       },
       "diffusion.ddpm.num_train_timesteps: value 1000: must be at most "
       "model.unet.num_train_timesteps, which is 999: the learned time embedding has no more"},
      {[](RunConfig& c) { c.model->unet().time_embedding_type = "fourier"; },
       "model.unet.time_embedding_type: value \"fourier\": needs diffusion { sde { kind: VE } }, "
       "whose time is sigma: it takes the logarithm of the time and divides by it; use "
       "\"positional\""},
      {[](RunConfig& c) { Ddpm(c).num_train_timesteps = 0; },
       "diffusion.ddpm.num_train_timesteps: value 0: must be from 1 to 1000000"},
      {[](RunConfig& c) { Ddpm(c).beta_start = 0; },
       "diffusion.ddpm.beta_start: value 0: must be above 0 and below 1"},
      {[](RunConfig& c) { Ddpm(c).beta_end = 1e-4; },
       "diffusion.ddpm.beta_end: value 0.0001: must be above beta_start, which is 0.0001, and "
       "below "
       "1"},
      {[](RunConfig& c) { Ddpm(c).beta_end = 1; },
       "diffusion.ddpm.beta_end: value 1: must be above beta_start, which is 0.0001, and below 1"},
      {[](RunConfig& c) { c.data.loader_threads = 0; },
       "data.loader_threads: value 0: must be from 1 to 256"},
      {[](RunConfig& c) { c.data.prefetch = 1025; },
       "data.prefetch: value 1025: must be from 1 to 1024"},
      {[](RunConfig& c) { c.optimizer.learning_rate = -1e-4; },
       "optimizer.learning_rate: value -0.0001: " + from_zero},
      {[=](RunConfig& c) { c.optimizer.learning_rate = kInfinity; },
       "optimizer.learning_rate: value inf: " + from_zero},
      {[](RunConfig& c) { c.optimizer.beta1 = 1; }, "optimizer.beta1: value 1: " + below_one},
      {[=](RunConfig& c) { c.optimizer.beta2 = kNan; }, "optimizer.beta2: value nan: " + below_one},
      {[](RunConfig& c) { c.optimizer.epsilon = 0; },
       "optimizer.epsilon: value 0: must be a finite number above 0"},
      {[](RunConfig& c) { c.optimizer.weight_decay = -1; },
       "optimizer.weight_decay: value -1: " + from_zero},
      {[=](RunConfig& c) { c.optimizer.clip_norm = kNan; },
       "optimizer.clip_norm: value nan: " + from_zero},
      {[](RunConfig& c) { c.optimizer.warmup_images = -1; },
       "optimizer.warmup_images: value -1: must be from 0 to 1000000000000000"},
      {[](RunConfig& c) { c.optimizer.kind = OptimizerKind::kAdam; },
       "optimizer.weight_decay: value 0.01: must be 0 where optimizer.kind is ADAM, which has no "
       "weight decay; ADAMW has"},
      {[](RunConfig& c) { c.optimizer.schedule = LearningRateSchedule::kInverseSqrt; },
       "optimizer.reference_images: value 0: must be from 1 to 1000000000000000"},
      {[](RunConfig& c) { c.optimizer.reference_images = 64; },
       "optimizer.reference_images: value 64: only the schedule INVERSE_SQRT has it; leave it out, "
       "or set optimizer.schedule to INVERSE_SQRT"},
      {[](RunConfig& c) { c.ema.decay = 1; }, "ema.decay: value 1: " + below_one},
      {[](RunConfig& c) { c.ema.half_life_images = 0; },
       "ema.half_life_images: value 0: must be from 1 to 1000000000000000"},
      {[](RunConfig& c) { c.ema.rampup_ratio = 1.5; },
       "ema.rampup_ratio: value 1.5: must be from 0 to 1"},
      {[](RunConfig& c) {
         c.ema.power_std = {0.05, 0.3};
       },
       "ema.power_std: value 0.3: must be from 0.005 to 0.28"},
      {[=](RunConfig& c) { c.ema.power_std = {kNan}; },
       "ema.power_std: value nan: must be from 0.005 to 0.28"},
      {[](RunConfig& c) {
         c.ema.power_std = {0.05, 0.1, 0.05};
       },
       "ema.power_std: value 0.05: must be there only once"},
      {[](RunConfig& c) {
         c.ema.power_std = {0.01, 0.02, 0.03, 0.04, 0.05};
       },
       "ema.power_std: has 5 averages: at most 4, each of which takes as much memory as the "
       "weights"},
      {[](RunConfig& c) { c.ema.snapshot_every_images = 64; },
       "ema.snapshot_every_images: value 64: only power_std's averages are stored; set "
       "ema.power_std, for example to [0.05, 0.10]"},
      {[](RunConfig& c) { c.ema = {.power_std = {0.05}, .snapshot_every_images = -1}; },
       "ema.snapshot_every_images: value -1: must be from 0 to 1000000000000000"},
      {[](RunConfig& c) { c.train.total_images = 0; },
       "train.total_images: value 0: must be from 1 to 1000000000000000"},
      {[](RunConfig& c) { c.train.total_images = std::numeric_limits<int64_t>::max(); },
       "train.total_images: value 9223372036854775807: must be from 1 to 1000000000000000"},
      {[](RunConfig& c) { c.train.global_batch = -64; },
       "train.global_batch: value -64: must be from 1 to 16777216"},
      {[](RunConfig& c) { c.train.microbatch = 0; },
       "train.microbatch: value 0: must be from 1 to 16777216"},
      {[](RunConfig& c) { c.train.microbatch = 48; },
       "train.microbatch: value 48: must divide train.global_batch, which is 64"},
      {[](RunConfig& c) { c.train.microbatch = 128; },
       "train.microbatch: value 128: must divide train.global_batch, which is 64"},
      {[](RunConfig& c) { c.distributed.zero_stage = 2; },
       "distributed.zero_stage: value 2: must be 0 (each rank has the whole optimizer state) or 1 "
       "(each has its slice)"},
      {[](RunConfig& c) { c.distributed.timeout_seconds = 0.5; },
       "distributed.timeout_seconds: value 0.5: must be from 1 to 86400"},
      {[](RunConfig& c) { c.distributed.threads_per_rank = -1; },
       "distributed.threads_per_rank: value -1: must be from 0 to 1024"},
      {[](RunConfig& c) { c.checkpoint.every_images = -1; },
       "checkpoint.every_images: value -1: must be from 0 to 1000000000000000"},
      {[](RunConfig& c) { c.checkpoint.every_seconds = -1; },
       "checkpoint.every_seconds: value -1: " + from_zero},
      {[](RunConfig& c) { c.checkpoint.keep = 0; },
       "checkpoint.keep: value 0: must be from 1 to 1000000"},
      {[](RunConfig& c) { c.monitor.log_every_images = -1; },
       "monitor.log_every_images: value -1: must be from 0 to 1000000000000000"},
      {[](RunConfig& c) { c.monitor.sample_every_images = -1; },
       "monitor.sample_every_images: value -1: must be from 0 to 1000000000000000"},
      {[](RunConfig& c) { c.monitor.sample_count = 1025; },
       "monitor.sample_count: value 1025: must be from 1 to 1024"},
      {[](RunConfig& c) { c.monitor.sample_steps = 0; },
       "monitor.sample_steps: value 0: must be from 1 to 10000"},
      {[](RunConfig& c) {
         c.monitor.sample_every_images = 64;
         Ddpm(c).num_train_timesteps = 10;
       },
       "monitor.sample_steps: value 20: must be at most diffusion.ddpm.num_train_timesteps, which "
       "is 10"},
  };
  for (const Case& c : cases) EXPECT_EQ(ProblemOf(c.change), c.problem);
}

TEST(RoundUpToGlobalBatchTest, MakesWholeBatchesAndKeepsZero) {
  RunConfig config = Valid();
  config.train.total_images = 641;
  config.checkpoint.every_images = 1;
  config.monitor.log_every_images = 128;
  config.monitor.sample_every_images = 0;
  RoundUpToGlobalBatch(config);
  EXPECT_EQ(config.train.total_images, 704);
  EXPECT_EQ(config.checkpoint.every_images, 64);
  EXPECT_EQ(config.monitor.log_every_images, 128);
  EXPECT_EQ(config.monitor.sample_every_images, 0);
}

}  // namespace
}  // namespace langevin::configs
