#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "configs/run_config.h"
#include "core/base/philox.h"
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"
#include "run_config.pb.h"
#include "tests/configs/test_configs.h"

namespace langevin::configs {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string ErrorOf(const std::string& text) {
  const absl::StatusOr<RunConfig> config = ParseRunConfig(text, "run.textproto", {});
  if (config.ok()) return "OK";
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(config.status().message());
}

TEST(ParseRunConfigTest, FieldsLeftOutHaveTheDefaultsOfThePlainStructs) {
  const absl::StatusOr<RunConfig> parsed = ParseRunConfig(kMinimalText, "run.textproto", {});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  RunConfig expected;
  expected.train = {.total_images = 640, .global_batch = 64, .microbatch = 32};
  EXPECT_EQ(ToText(*parsed), ToText(expected));
  EXPECT_FALSE(parsed->model.has_value());
  EXPECT_FALSE(parsed->diffusion.process.has_value());
  const absl::StatusOr<RunConfig> with_ddpm =
      ParseRunConfig(std::string(kMinimalText) + "diffusion { ddpm {} }", "run.textproto", {});
  ASSERT_TRUE(with_ddpm.ok());
  EXPECT_EQ(with_ddpm->diffusion.process, ProcessConfig(DdpmConfig()));
}

// Every field at a value that is not its default, read into the struct's field of that name.
TEST(ParseRunConfigTest, EveryFieldReachesItsPlaceInTheStructs) {
  const absl::StatusOr<RunConfig> parsed = ParseRunConfig(
      R"(seed: 7
         model { unet {
           sample_size: [8, 12] in_channels: 2 out_channels: 2 center_input_sample: true
           time_embedding_type: "learned" time_embedding_dim: 48 freq_shift: 1
           flip_sin_to_cos: false down_block_types: ["DownBlock2D", "AttnDownBlock2D"]
           mid_block_type: "" up_block_types: ["AttnUpBlock2D", "ResnetUpsampleBlock2D"]
           block_out_channels: [16, 32] layers_per_block: 3 mid_block_scale_factor: 1.5
           downsample_padding: 0 downsample_type: "resnet" upsample_type: "resnet" dropout: 0.1
           act_fn: "mish" attention_head_dim: 4 norm_num_groups: 8 attn_norm_num_groups: 2
           norm_eps: 1e-6 resnet_time_scale_shift: "scale_shift" add_attention: false
           class_embed_type: "identity" num_class_embeds: 3 num_train_timesteps: 500 } }
         diffusion { ddpm { num_train_timesteps: 400 beta_schedule: SCALED_LINEAR
           beta_start: 0.001 beta_end: 0.03 prediction: V_PREDICTION clip_sample: false
             rescale_betas_zero_snr: true variance: FIXED_LARGE }
           loss { weighting: P2 gamma: 0.5 k: 2 }
           times { distribution: UNIFORM stratified: true smallest: 0.001 } data_sigma: 0.7 }
         data { augment { horizontal_flip: true vertical_flip: true quarter_turns: true crop: 0.1
             scale: 0.2 rotate_degrees: 3 translate: 0.4 intensity_scale: 0.5 intensity_shift: 0.6
             noise: 0.7 edm { probability: 0.8 x_flip: false y_flip: false scale: false
               rotate: false anisotropy: false translate: false } }
           loader_threads: 3 prefetch: 5 verify_checksums: false checksum_rate: 0.9 order: SAMPLE
           block_images: 11 lanes: 12 window_blocks: 13 class_balance: 0.14 weight: 1.5
           mix { path: "/a" weight: 1.6 } mix { path: "/b" } }
         optimizer { learning_rate: 0.5 beta1: 0.1 beta2: 0.2 epsilon: 0.3 weight_decay: 0.4
           clip_norm: 0.6 warmup_images: 9 schedule: INVERSE_SQRT reference_images: 10
           kind: ADAMW }
         ema { decay: 0.7 rampup_ratio: 0.8 }
         train { total_images: 100 global_batch: 10 microbatch: 5 precision: BF16 }
         distributed { backend: MPI reduction: FAST zero_stage: 0 timeout_seconds: 11
           threads_per_rank: 2 }
         checkpoint { every_images: 20 every_seconds: 12 keep: 4 }
         monitor { log_every_images: 30 sample_every_images: 40 sample_count: 6 sample_steps: 13 })",
      "run.textproto", {});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->seed, 7u);
  UNetConfig unet;
  unet.sample_size = {8, 12};
  unet.in_channels = 2;
  unet.out_channels = 2;
  unet.center_input_sample = true;
  unet.time_embedding_type = "learned";
  unet.time_embedding_dim = 48;
  unet.freq_shift = 1;
  unet.flip_sin_to_cos = false;
  unet.down_block_types = {"DownBlock2D", "AttnDownBlock2D"};
  unet.mid_block_type = std::nullopt;
  unet.up_block_types = {"AttnUpBlock2D", "ResnetUpsampleBlock2D"};
  unet.block_out_channels = {16, 32};
  unet.layers_per_block = 3;
  unet.mid_block_scale_factor = 1.5;
  unet.downsample_padding = 0;
  unet.downsample_type = "resnet";
  unet.upsample_type = "resnet";
  unet.dropout = 0.1;
  unet.act_fn = "mish";
  unet.attention_head_dim = 4;
  unet.norm_num_groups = 8;
  unet.attn_norm_num_groups = 2;
  unet.norm_eps = 1e-6;
  unet.resnet_time_scale_shift = "scale_shift";
  unet.add_attention = false;
  unet.class_embed_type = "identity";
  unet.num_class_embeds = 3;
  unet.num_train_timesteps = 500;
  EXPECT_EQ(parsed->model->unet(), unet);
  EXPECT_EQ(
      parsed->diffusion.process,
      ProcessConfig(DdpmConfig{400, BetaSchedule::kScaledLinear, 0.001, 0.03,
                               Prediction::kVPrediction, false, true, Variance::kFixedLarge}));
  EXPECT_EQ(parsed->diffusion.loss, (LossConfig{Weighting::kP2, 0.5, 2}));
  EXPECT_EQ(parsed->diffusion.times,
            (TimesConfig{TimeDistribution::kUniform, std::nullopt, std::nullopt, true, 0.001}));
  EXPECT_EQ(parsed->diffusion.data_sigma, 0.7);
  EXPECT_EQ(parsed->data.augment, (AugmentConfig{true,
                                                 true,
                                                 true,
                                                 0.1,
                                                 0.2,
                                                 3,
                                                 0.4,
                                                 0.5,
                                                 0.6,
                                                 0.7,
                                                 {0.8, false, false, false, false, false, false}}));
  EXPECT_EQ(parsed->data.checksum_rate, 0.9);
  EXPECT_EQ(parsed->data.order, DataOrder::kSample);
  EXPECT_EQ(parsed->data.block_images, 11);
  EXPECT_EQ(parsed->data.lanes, 12);
  EXPECT_EQ(parsed->data.window_blocks, 13);
  EXPECT_EQ(parsed->data.class_balance, 0.14);
  EXPECT_EQ(parsed->data.weight, 1.5);
  ASSERT_EQ(parsed->data.mix.size(), 2);
  EXPECT_EQ(parsed->data.mix[0].path, "/a");
  EXPECT_EQ(parsed->data.mix[0].weight, 1.6);
  EXPECT_EQ(parsed->data.mix[1].path, "/b");
  EXPECT_EQ(parsed->data.mix[1].weight, 1);
  EXPECT_EQ(parsed->data.loader_threads, 3);
  EXPECT_EQ(parsed->data.prefetch, 5);
  EXPECT_FALSE(parsed->data.verify_checksums);
  EXPECT_EQ(parsed->optimizer.learning_rate, 0.5);
  EXPECT_EQ(parsed->optimizer.beta1, 0.1);
  EXPECT_EQ(parsed->optimizer.beta2, 0.2);
  EXPECT_EQ(parsed->optimizer.epsilon, 0.3);
  EXPECT_EQ(parsed->optimizer.weight_decay, 0.4);
  EXPECT_EQ(parsed->optimizer.clip_norm, 0.6);
  EXPECT_EQ(parsed->optimizer.warmup_images, 9);
  EXPECT_EQ(parsed->optimizer.schedule, LearningRateSchedule::kInverseSqrt);
  EXPECT_EQ(parsed->optimizer.reference_images, 10);
  EXPECT_EQ(parsed->ema.decay, 0.7);
  EXPECT_EQ(parsed->ema.rampup_ratio, 0.8);
  EXPECT_EQ(parsed->train.total_images, 100);
  EXPECT_EQ(parsed->train.global_batch, 10);
  EXPECT_EQ(parsed->train.microbatch, 5);
  EXPECT_EQ(parsed->train.precision, Precision::kBf16);
  EXPECT_EQ(parsed->distributed.backend, Backend::kMpi);
  EXPECT_EQ(parsed->distributed.reduction, Reduction::kFast);
  EXPECT_EQ(parsed->distributed.timeout_seconds, 11);
  EXPECT_EQ(parsed->distributed.threads_per_rank, 2);
  EXPECT_EQ(parsed->checkpoint.every_images, 20);
  EXPECT_EQ(parsed->checkpoint.every_seconds, 12);
  EXPECT_EQ(parsed->checkpoint.keep, 4);
  EXPECT_EQ(parsed->monitor.log_every_images, 30);
  EXPECT_EQ(parsed->monitor.sample_every_images, 40);
  EXPECT_EQ(parsed->monitor.sample_count, 6);
  EXPECT_EQ(parsed->monitor.sample_steps, 13);
  EXPECT_EQ(ToText(*ParseRunConfig(ToText(*parsed), "text", {})), ToText(*parsed));
}

TEST(ParseRunConfigTest, RoundsIntervalsUpToWholeBatches) {
  const absl::StatusOr<RunConfig> config = ParseRunConfig(
      "train { total_images: 100 global_batch: 64 microbatch: 32 }\n"
      "checkpoint { every_images: 65 }\nmonitor { log_every_images: 1 }",
      "run.textproto", {});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->train.total_images, 128);
  EXPECT_EQ(config->checkpoint.every_images, 128);
  EXPECT_EQ(config->monitor.log_every_images, 64);
  EXPECT_EQ(config->monitor.sample_every_images, 0);
}

// Each text has its mistake in the third line.
TEST(ParseRunConfigTest, NamesFileLineFieldValueAndWhatIsAllowed) {
  const std::string int64_range =
      "must be a whole number from -9223372036854775808 to 9223372036854775807";
  const std::vector<std::pair<std::string, std::string>> cases = {
      // Unknown fields.
      {"\noptimizer {\n  learnin_rate: 1\n}",
       "run.textproto:3: field optimizer.learnin_rate: there is no such field; did you mean "
       "learning_rate? optimizer has learning_rate, beta1, beta2, epsilon, weight_decay, "
       "clip_norm, "
       "warmup_images, schedule, kind, reference_images"},
      {"seed: 1\n\nlearning_rate: 1\n",
       "run.textproto:3: field learning_rate: there is no such field; did you mean "
       "optimizer.learning_rate? a run config has seed, model, diffusion, data, optimizer, ema, "
       "train, distributed, checkpoint, monitor"},
      {"ema {\n# a comment\ncolour { red: 1 }\n}",
       "run.textproto:3: field ema.colour: there is no such field; ema has decay, "
       "half_life_images, rampup_ratio, power_std, snapshot_every_images"},
      {"diffusion {\n\nedn { sigma_max: 1 } }",
       "run.textproto:3: field diffusion.edn: there is no such field; did you mean edm? diffusion "
       "has ddpm, edm, flow, sde, loss, times, data_sigma"},
      // Wrong types.
      {"train {\n\nmicrobatch: \"32\" }",
       "run.textproto:3: field train.microbatch: value \"32\": " + int64_range},
      {"train {\n\nmicrobatch: 1.5 }",
       "run.textproto:3: field train.microbatch: value 1.5: " + int64_range},
      {"train {\n\nmicrobatch: 99999999999999999999 }",
       "run.textproto:3: field train.microbatch: value 99999999999999999999: " + int64_range},
      {"\n\nseed: -1",
       "run.textproto:3: field seed: value -1: must be a whole number from 0 to "
       "18446744073709551615"},
      {"data {\n\nprefetch: 3000000000 }",
       "run.textproto:3: field data.prefetch: value 3000000000: must be a whole number from "
       "-2147483648 to 2147483647"},
      {"data {\n\nverify_checksums: maybe\nprefetch: 4 }",
       "run.textproto:3: field data.verify_checksums: value maybe: must be true or false"},
      {"optimizer {\n\nlearning_rate: fast }",
       "run.textproto:3: field optimizer.learning_rate: value fast: must be a number"},
      {"train {\n\nprecision: FP16\n\nmicrobatch: 4 }",
       "run.textproto:3: field train.precision: value FP16: must be one of FP32, BF16"},
      {"model { unet {\n\nact_fn: silu } }",
       "run.textproto:3: field model.unet.act_fn: value silu: must be a string in quotes"},
      {"model { unet {\n\nblock_out_channels: [64, \"a\"] } }",
       "run.textproto:3: field model.unet.block_out_channels: value [64, \"a\"]: " + int64_range +
           ", or a list [a, b] of them"},
      {"\n\ntrain: 5",
       "run.textproto:3: field train: value 5: must be fields in braces, of total_images, "
       "global_batch, microbatch, precision"},
      // Given twice.
      {"seed: 1\n\nseed: 2\n",
       "run.textproto:3: field seed: is given twice, first in line 1; keep "
       "one"},
      {"train {}\n\ntrain {}",
       "run.textproto:3: field train: is given twice, first in line 1; keep "
       "one"},
      // Out of range.
      {"model { unet { block_out_channels: 64 down_block_types: \"DownBlock2D\" up_block_types: "
       "\"UpBlock2D\"\n\nnorm_num_groups: 7 } }" +
           std::string(kMinimalText),
       "run.textproto:3: field model.unet.norm_num_groups: value 7: must divide each of "
       "block_out_channels, and does not divide 64"},
      {"train {\ntotal_images: 640 global_batch: 64\nmicrobatch: 24\n}",
       "run.textproto:3: field train.microbatch: value 24: must divide train.global_batch, which "
       "is "
       "64"},
      {"train { total_images: 640 global_batch: 64 microbatch: 32 }\nmodel { unet {\n"
       "down_block_types: [\"DownBlock\"] block_out_channels: 32 up_block_types: \"UpBlock2D\" } }",
       "run.textproto:3: field model.unet.down_block_types: value \"DownBlock\": must be one of "
       "DownBlock2D, AttnDownBlock2D, ResnetDownsampleBlock2D, SkipDownBlock2D, "
       "AttnSkipDownBlock2D"},
      // A default that the rest makes impossible is reported where its group begins.
      {"train { total_images: 640 global_batch: 64 microbatch: 32 }\n\n"
       "model { unet { block_out_channels: 16\ndown_block_types: \"DownBlock2D\" up_block_types: "
       "\"UpBlock2D\" } }",
       "run.textproto:3: field model.unet.norm_num_groups: value 32: must divide each of "
       "block_out_channels, and does not divide 16"},
      // Missing.
      {"\n\ntrain { global_batch: 64 microbatch: 32 }",
       "run.textproto:3: field train.total_images: is missing: it has no default; set it, for "
       "example to 1000000"},
      {"",
       "run.textproto: field train.total_images: is missing: it has no default; set it, for "
       "example to 1000000"},
      {"train { total_images: 64 microbatch: 32 }",
       "run.textproto:1: field train.global_batch: is missing: it has no default; set it, for "
       "example to 64"},
      {"train { total_images: 64 global_batch: 32 }",
       "run.textproto:1: field train.microbatch: is missing: it has no default; set it, for "
       "example "
       "to 32"},
      // Bytes.
      {"seed: 1\n\n# \xc3(",
       "run.textproto:3: byte 0xc3 is not UTF-8: write the config as plain "
       "UTF-8 text"},
      {"\n\n# \xed\xa0\x80",
       "run.textproto:3: byte 0xed is not UTF-8: write the config as plain "
       "UTF-8 text"},
  };
  for (const auto& [text, message] : cases) EXPECT_EQ(ErrorOf(text), message);
}

TEST(ParseRunConfigTest, BothMembersOfAOneofAreAnError) {
  EXPECT_EQ(ErrorOf("ema {\ndecay: 0.9\nhalf_life_images: 100\n}"),
            "run.textproto:3: field ema.half_life_images: only one can be given of decay, "
            "half_life_images");
}

TEST(ParseRunConfigTest, SyntaxErrorsNameTheLine) {
  EXPECT_EQ(ErrorOf("seed: 1\ntrain {\n  total_images: 5\n"),
            "run.textproto:4: at or behind field train.total_images: the text ends too early; is a "
            "closing brace missing?");
  EXPECT_EQ(ErrorOf("seed 1"),
            "run.textproto:1: at or behind field seed: Expected \":\", found \"1\"");
  EXPECT_EQ(ErrorOf("seed: 1\n}"),
            "run.textproto:2: at or behind field seed: Expected identifier, got: }");
  EXPECT_EQ(ErrorOf("}"), "run.textproto:1: Expected identifier, got: }");
  EXPECT_THAT(ErrorOf("model { unet {\n act_fn: \"silu\n } }"),
              StartsWith("run.textproto:2: field model.unet.act_fn: value \"silu"));
}

TEST(ParseRunConfigTest, CharactersBeyondAsciiAreFineInComments) {
  EXPECT_EQ(ErrorOf(std::string("# gr\xc3\xbc\xc3\x9f \xf0\x9f\x91\x97\n") + kMinimalText), "OK");
}

TEST(ParseRunConfigTest, RefusesWhatIsTooLargeOrTooDeep) {
  EXPECT_THAT(ErrorOf(std::string((1 << 20) + 1, '#')),
              HasSubstr("is 1048577 bytes long; a config has at most 1048576"));
  std::string deep;
  while (deep.size() < 1'000'000) deep += "model{";
  EXPECT_THAT(ErrorOf(deep), StartsWith("run.textproto:1: field model.model: there is no such"));
  EXPECT_THAT(ErrorOf("seed: " + std::string(1'000'000, '[')), StartsWith("run.textproto:1: "));
  EXPECT_LT(ErrorOf("seed: \"" + std::string(1'000'000, 'x') + "\"").size(), 300u);
}

class LoadRunConfigTest : public ::testing::Test {
 protected:
  LoadRunConfigTest()
      : folder_(JoinPath(::testing::TempDir(), "configs_" + std::to_string(::getpid()))) {
    EXPECT_TRUE(PosixFileSystem().CreateFolders(folder_).ok());
  }
  ~LoadRunConfigTest() override { PosixFileSystem().RemoveTree(folder_).IgnoreError(); }

  std::string Path(const std::string& name) const { return JoinPath(folder_, name); }
  absl::Status Load(const std::string& name) {
    return LoadRunConfig(PosixFileSystem(), Path(name), {}).status();
  }

  const std::string folder_;
};

TEST_F(LoadRunConfigTest, ReadsAFile) {
  std::ofstream(Path("run.textproto")) << kMinimalText;
  EXPECT_TRUE(Load("run.textproto").ok()) << Load("run.textproto");
}

TEST_F(LoadRunConfigTest, AFileThatIsNotThereIsABadConfig) {
  const absl::Status status = Load("none.textproto");
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              StartsWith(Path("none.textproto") + ": there is no such file"));
}

TEST_F(LoadRunConfigTest, OnlyRegularFilesOfBoundedSizeAreRead) {
  std::ofstream(Path("large")) << std::string((1 << 20) + 1, '#');
  std::ofstream(Path("run.textproto")) << kMinimalText;
  std::filesystem::create_symlink(Path("run.textproto"), Path("link"));
  for (const std::string name : {"large", "link", "."}) {
    const absl::Status status = Load(name);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(Path(name)));
  }
}

TEST(ToTextTest, PresetsSurviveTheWayOutAndBack) {
  for (const char* const preset : kPresets) {
    const absl::StatusOr<RunConfig> config =
        LoadRunConfig(PosixFileSystem(), PresetPath(preset), {});
    ASSERT_TRUE(config.ok()) << config.status();
    const absl::StatusOr<RunConfig> back = ParseRunConfig(ToText(*config), "text", {});
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(ToText(*back), ToText(*config));
    EXPECT_EQ(back->model, config->model);
    EXPECT_EQ(back->diffusion, config->diffusion);
  }
}

// Values with all their bits, so that a shortened number would be seen.
TEST(ToTextTest, RandomConfigsSurviveTheWayOutAndBack) {
  for (uint64_t seed = 0; seed < 500; ++seed) {
    const RandomStream random(seed, /*position=*/0, RandomPurpose::kAugmentation);
    uint32_t draw = 0;
    const auto below = [&](uint32_t bound) { return random.UniformInt(draw++, bound); };
    const auto unit = [&] { return (below(1u << 31) + below(1u << 31) / 0x1p31) / 0x1p31; };
    RunConfig config;
    config.seed = uint64_t{random.Word(1000)} << 32 | random.Word(1001);
    config.model = ModelConfig{.architecture = SmallUNet()};
    config.model->unet().dropout = unit();
    config.model->unet().norm_eps = unit() + 1e-9;
    config.model->unet().mid_block_scale_factor = unit() + 1;
    if (below(2) == 0) config.model->unet().mid_block_type.reset();
    if (below(2) == 0) config.model->unet().attention_head_dim = 1 + below(16);
    if (below(2) == 0) config.model->unet().num_class_embeds = 1 + below(1000);
    switch (below(4)) {
      case 0:
        config.diffusion.process = DdpmConfig{.beta_schedule = static_cast<BetaSchedule>(below(4)),
                                              .beta_start = 1e-4 * (unit() + 0.1),
                                              .prediction = static_cast<Prediction>(below(3))};
        if (below(2) == 0) config.diffusion.loss.weighting = Weighting::kLikelihood;
        if (below(2) == 0) config.diffusion.times.distribution = TimeDistribution::kImportance;
        break;
      case 1:
        config.diffusion.process = EdmConfig{.sigma_min = 1e-3 + unit(), .rho = 1 + unit()};
        config.diffusion.times.mean = unit();
        config.diffusion.data_sigma = 0.1 + unit();
        break;
      case 2:
        config.diffusion.process = FlowConfig{.shift = 0.1 + unit()};
        config.diffusion.times.distribution = TimeDistribution::kLogitNormal;
        break;
      default:
        config.diffusion.process =
            SdeConfig{.kind = static_cast<SdeKind>(below(3)), .beta_min = 0.1 + unit()};
        config.diffusion.loss = {.weighting = Weighting::kMinSnr, .gamma = 1 + unit()};
        config.diffusion.loss.uncertainty = below(2) == 0;
        break;
    }
    config.optimizer.learning_rate = unit();
    config.optimizer.beta2 = unit();
    config.optimizer.schedule = static_cast<LearningRateSchedule>(below(4));
    if (config.optimizer.schedule == LearningRateSchedule::kInverseSqrt) {
      config.optimizer.reference_images = 1 + below(1000000);
    }
    if (below(2) == 0) {
      config.optimizer.kind = OptimizerKind::kAdam;
      config.optimizer.weight_decay = 0;
    }
    if (below(2) == 0) {
      config.ema.decay = unit();
    } else {
      config.ema.half_life_images = 1 + below(1000000);
    }
    if (below(2) == 0) {
      config.ema = {.power_std = {0.01 + unit() / 8, 0.15 + unit() / 8},
                    .snapshot_every_images = 64 * int64_t{below(1000)}};
    }
    config.train = {.total_images = 64 * int64_t{1 + below(1000)},
                    .global_batch = 64,
                    .microbatch = int64_t{1} << below(7),
                    .precision = static_cast<Precision>(below(2))};
    config.distributed.timeout_seconds = 1 + 1000 * unit();
    config.checkpoint.every_seconds = 1000 * unit();
    const absl::StatusOr<RunConfig> back = ParseRunConfig(ToText(config), "text", {});
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(ToText(*back), ToText(config));
    EXPECT_EQ(back->model, config.model);
    EXPECT_EQ(back->diffusion, config.diffusion);
    EXPECT_EQ(back->optimizer.learning_rate, config.optimizer.learning_rate);
    EXPECT_EQ(back->ema.power_std, config.ema.power_std);
    EXPECT_EQ(back->ema.decay, config.ema.decay);
    EXPECT_EQ(back->ema.half_life_images, config.ema.half_life_images);
  }
}

// What stands in RUN/config.textproto must not change its meaning when a later version changes a
// default: every field that is not null is written.
void ExpectAllFieldsSet(const google::protobuf::Message& message) {
  const google::protobuf::Reflection& reflection = *message.GetReflection();
  for (int i = 0; i < message.GetDescriptor()->field_count(); ++i) {
    const google::protobuf::FieldDescriptor& field = *message.GetDescriptor()->field(i);
    if (field.is_repeated()) continue;
    // Of alternatives one is there.
    const bool must_be_set = field.containing_oneof() == nullptr &&
                             (field.message_type() != nullptr || field.has_default_value());
    const bool is_set = reflection.HasField(message, &field);
    EXPECT_TRUE(is_set || !must_be_set) << field.full_name();
    if (is_set && field.message_type() != nullptr) {
      ExpectAllFieldsSet(reflection.GetMessage(message, &field));
    }
  }
}

proto::RunConfig Written(const RunConfig& config) {
  proto::RunConfig written;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(ToText(config), &written));
  return written;
}

TEST(ToTextTest, WritesEveryField) {
  RunConfig config;
  config.data.mix.push_back({.path = "a"});
  for (const ModelConfig& model :
       {ModelConfig{.architecture = SmallUNet()}, ModelConfig{.architecture = DiTConfig()},
        ModelConfig{.architecture = Edm2UNetConfig()}}) {
    config.model = model;
    config.diffusion.process = DdpmConfig();
    ExpectAllFieldsSet(Written(config));
  }
  for (const ProcessConfig& process : {ProcessConfig(DdpmConfig()), ProcessConfig(EdmConfig()),
                                       ProcessConfig(FlowConfig()), ProcessConfig(SdeConfig())}) {
    config.diffusion.process = process;
    const proto::RunConfig written = Written(config);
    EXPECT_TRUE(written.diffusion().family_case() != proto::DiffusionConfig::FAMILY_NOT_SET);
    EXPECT_EQ(written.data().mix_size(), 1);
    ExpectAllFieldsSet(written);
  }
}

}  // namespace
}  // namespace langevin::configs
