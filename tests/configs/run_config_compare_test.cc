#include <string>
#include <utility>
#include <vector>

#include "configs/run_config.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/configs/test_configs.h"

namespace langevin::configs {
namespace {

using ::testing::StartsWith;

// A preset, with values of this test's own where it looks at them.
RunConfig Load(const std::vector<std::string>& overrides) {
  std::vector<std::string> all = {"optimizer.schedule=CONSTANT", "optimizer.learning_rate=0.001",
                                  "ema.decay=0.995", "train.global_batch=64",
                                  "train.microbatch=32"};
  all.insert(all.end(), overrides.begin(), overrides.end());
  const absl::StatusOr<RunConfig> config =
      LoadRunConfig(PosixFileSystem(), PresetPath("fashion_mnist_quickstart"), all);
  EXPECT_TRUE(config.ok()) << config.status();
  return config.value_or(RunConfig());
}

TEST(CheckSameRunTest, WhatTheWeightsDoNotDependOnMayDiffer) {
  const std::vector<std::string> harmless = {
      "train.total_images=6400", "data.loader_threads=7", "data.prefetch=9",
      "data.verify_checksums=false", "data.checksum_rate=0.5",
      // Not used by order SAMPLE.
      "data.block_images=3", "data.lanes=3", "data.window_blocks=3", "distributed.backend=NCCL",
      "distributed.reduction=FAST", "distributed.timeout_seconds=5",
      "distributed.threads_per_rank=3", "checkpoint.every_images=640", "checkpoint.every_seconds=1",
      "checkpoint.keep=9", "monitor.log_every_images=64", "monitor.sample_every_images=0",
      "monitor.sample_count=1", "monitor.sample_steps=2"};
  for (const std::string& change : harmless) {
    const absl::Status status = CheckSameRun(Load({}), Load({change}));
    EXPECT_TRUE(status.ok()) << change << ": " << status;
  }
  EXPECT_TRUE(CheckSameRun(Load({}), Load(harmless)).ok());
}

TEST(CheckSameRunTest, NamesTheFirstFieldThatMattersAndBothValues) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"seed=1", "field seed: was 0 when the run began and is now 1:"},
      {"model.unet.block_out_channels=[32,64,128]",
       "field model.unet.block_out_channels: was [32, 64, 64] when the run began and is now [32, "
       "64, 128]:"},
      {"model.unet.attention_head_dim=null",
       "field model.unet.attention_head_dim: was 32 when the run began and is now not set:"},
      {"model.unet.dropout=0.1", "field model.unet.dropout: was 0 when the run began"},
      {"diffusion.ddpm.prediction=SAMPLE",
       "field diffusion.ddpm.prediction: was EPSILON when the run began and is now SAMPLE:"},
      {"data.augment.horizontal_flip=true",
       "field data.augment.horizontal_flip: was false when the run began and is now true:"},
      {"data.augment.edm.probability=0.12", "field data.augment.edm.probability: was 0 when"},
      {"data.augment.noise=0.1", "field data.augment.noise: was 0 when the run began"},
      {"data.order=BLOCK", "field data.order: was SAMPLE when the run began and is now BLOCK:"},
      {"data.class_balance=0.5", "field data.class_balance: was 0 when the run began"},
      {"optimizer.learning_rate=0.0010000000000000002",
       "field optimizer.learning_rate: was 0.001 when the run began and is now "
       "0.0010000000000000002:"},
      {"optimizer.schedule=COSINE_DECAY", "field optimizer.schedule: was CONSTANT"},
      {"ema.decay=0.99", "field ema.decay: was 0.995 when the run began and is now 0.99:"},
      {"ema.half_life_images=1000", "field ema.decay: was 0.995 when the run began and is now not"},
      {"train.global_batch=128", "field train.global_batch: was 64 when the run began"},
      {"train.microbatch=16", "field train.microbatch: was 32 when the run began and is now 16:"},
      {"train.precision=BF16", "field train.precision: was FP32 when the run began"}};
  for (const auto& [change, message] : cases) {
    const absl::Status status = CheckSameRun(Load({}), Load({change}));
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << change;
    EXPECT_THAT(std::string(status.message()), StartsWith(message));
  }
}

TEST(CheckSameRunTest, MixedDataSetsMayMoveButNotChangeWeights) {
  const auto mixed = [](const std::string& path, double weight) {
    RunConfig config = Load({});
    config.data.mix = {{.path = path, .weight = weight}};
    return config;
  };
  EXPECT_TRUE(CheckSameRun(mixed("a", 1), mixed("b", 1)).ok());
  EXPECT_FALSE(CheckSameRun(mixed("a", 1), mixed("a", 2)).ok());
  EXPECT_FALSE(CheckSameRun(mixed("a", 1), Load({})).ok());
}

TEST(CheckSameRunTest, ALearningRateThatEndsWithTheRunFixesItsLength) {
  for (const std::string schedule :
       {"optimizer.schedule=LINEAR_DECAY", "optimizer.schedule=COSINE_DECAY"}) {
    const absl::Status status =
        CheckSameRun(Load({schedule}), Load({schedule, "train.total_images=6400"}));
    EXPECT_THAT(std::string(status.message()),
                StartsWith("field train.total_images: was 60032 when the run began and is now "
                           "6400:"));
  }
}

TEST(CheckSameRunTest, AnInverseSqrtRunMayBecomeLonger) {
  const std::vector<std::string> schedule = {"optimizer.schedule=INVERSE_SQRT",
                                             "optimizer.reference_images=640"};
  const auto with = [&](const std::string& change) {
    return Load({schedule[0], schedule[1], change});
  };
  EXPECT_TRUE(CheckSameRun(Load(schedule), with("train.total_images=6400")).ok());
  EXPECT_THAT(
      std::string(CheckSameRun(Load(schedule), with("optimizer.reference_images=64")).message()),
      StartsWith("field optimizer.reference_images: was 640 when the run began"));
}

TEST(CheckSameRunTest, TheAveragesMustStayAndHowOftenTheyAreStoredNeedNot) {
  const std::string averages = "ema.power_std=[0.05,0.1]";
  EXPECT_TRUE(
      CheckSameRun(Load({averages}), Load({averages, "ema.snapshot_every_images=640"})).ok());
  EXPECT_TRUE(CheckSameRun(Load({averages}), Load({averages, "ema.rampup_ratio=0.5"})).ok());
  EXPECT_THAT(std::string(CheckSameRun(Load({averages}), Load({"ema.power_std=0.05"})).message()),
              StartsWith("field ema.power_std: was [0.05, 0.1] when the run began"));
  EXPECT_FALSE(CheckSameRun(Load({}), Load({averages})).ok());
}

TEST(CheckSameRunTest, AdamIsAdamWWithoutWeightDecay) {
  EXPECT_TRUE(CheckSameRun(Load({"optimizer.kind=ADAM"}), Load({"optimizer.weight_decay=0"})).ok());
  EXPECT_THAT(std::string(CheckSameRun(Load({}), Load({"optimizer.kind=ADAM"})).message()),
              StartsWith("field optimizer.weight_decay: was 0.01 when the run began and is now 0"));
}

TEST(CheckSameRunTest, DiffusionLeftOutIsDdpmWithItsDefaults) {
  RunConfig without = Load({});
  without.diffusion.process.reset();
  EXPECT_TRUE(CheckSameRun(Load({}), without).ok());
  EXPECT_TRUE(CheckSameRun(without, Load({})).ok());
  EXPECT_FALSE(CheckSameRun(without, Load({"diffusion.ddpm.beta_end=0.03"})).ok());
}

TEST(CheckSameRunTest, AModelThatIsGoneIsADifference) {
  RunConfig without = Load({});
  without.model.reset();
  EXPECT_THAT(std::string(CheckSameRun(Load({}), without).message()),
              StartsWith("field model: was set when the run began and is now not set:"));
}

}  // namespace
}  // namespace langevin::configs
