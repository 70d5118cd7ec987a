#include <string>
#include <utility>
#include <vector>

#include "configs/run_config.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/configs/test_configs.h"

namespace langevin::configs {
namespace {

absl::StatusOr<RunConfig> Load(const std::vector<std::string>& overrides) {
  return LoadRunConfig(PosixFileSystem(), PresetPath("fashion_mnist_quickstart"), overrides);
}

RunConfig MustLoad(const std::vector<std::string>& overrides) {
  const absl::StatusOr<RunConfig> config = Load(overrides);
  EXPECT_TRUE(config.ok()) << config.status();
  return config.value_or(RunConfig());
}

TEST(OverrideTest, ReplacesValuesOfEveryType) {
  const RunConfig config = MustLoad(
      {"seed=18446744073709551615", "data.loader_threads=3", "data.augment.horizontal_flip=true",
       "optimizer.learning_rate=0", "optimizer.weight_decay=2.5e-3", "train.precision=BF16",
       "model.unet.act_fn=relu", "model.unet.freq_shift=-1", "train.microbatch = 16"});
  EXPECT_EQ(config.seed, 18446744073709551615u);
  EXPECT_EQ(config.data.loader_threads, 3);
  EXPECT_TRUE(config.data.augment.horizontal_flip);
  EXPECT_EQ(config.optimizer.learning_rate, 0);
  EXPECT_EQ(config.optimizer.weight_decay, 2.5e-3);
  EXPECT_EQ(config.train.precision, Precision::kBf16);
  EXPECT_EQ(config.model->unet().act_fn, "relu");
  EXPECT_EQ(config.model->unet().freq_shift, -1);
  EXPECT_EQ(config.train.microbatch, 16);
}

TEST(OverrideTest, ReplacesListsWhole) {
  const RunConfig config = MustLoad({"model.unet.block_out_channels=[64,128]",
                                     "model.unet.down_block_types=[DownBlock2D, AttnDownBlock2D]",
                                     "model.unet.up_block_types=[\"AttnUpBlock2D\",'UpBlock2D']",
                                     "model.unet.sample_size=[28,30]"});
  EXPECT_EQ(config.model->unet().block_out_channels, (std::vector<int64_t>{64, 128}));
  EXPECT_EQ(config.model->unet().down_block_types,
            (std::vector<std::string>{"DownBlock2D", "AttnDownBlock2D"}));
  EXPECT_EQ(config.model->unet().up_block_types,
            (std::vector<std::string>{"AttnUpBlock2D", "UpBlock2D"}));
  EXPECT_EQ(config.model->unet().sample_size, (std::vector<int64_t>{28, 30}));
}

TEST(OverrideTest, OneValueIsAListOfOne) {
  EXPECT_EQ(MustLoad({"model.unet.sample_size=32"}).model->unet().sample_size,
            (std::vector<int64_t>{32}));
  EXPECT_EQ(MustLoad({"model.unet.sample_size=[]"}).model->unet().sample_size,
            (std::vector<int64_t>{}));
}

TEST(OverrideTest, LaterOnesWin) { EXPECT_EQ(MustLoad({"seed=1", "seed=2"}).seed, 2u); }

TEST(OverrideTest, OneMemberOfAOneofClearsTheOther) {
  ASSERT_EQ(MustLoad({}).ema.half_life_images, 9000);
  const RunConfig config = MustLoad({"ema.decay=0.99"});
  EXPECT_EQ(config.ema.half_life_images, EmaConfig().half_life_images);
  EXPECT_EQ(config.ema.decay, 0.99);
  EXPECT_EQ(MustLoad({"ema.decay=0.99", "ema.half_life_images=1000"}).ema.decay, std::nullopt);
}

TEST(OverrideTest, NullEmptiesWhatMayBeNull) {
  const RunConfig config =
      MustLoad({"model.unet.attention_head_dim=null", "model.unet.mid_block_type=null",
                "model.unet.sample_size=null"});
  EXPECT_EQ(config.model->unet().attention_head_dim, std::nullopt);
  EXPECT_EQ(config.model->unet().mid_block_type, std::nullopt);
  EXPECT_TRUE(config.model->unet().sample_size.empty());
}

TEST(OverrideTest, MayAddWhatTheFileLeavesOut) {
  const absl::StatusOr<RunConfig> config =
      ParseRunConfig("", "empty",
                     {"train.total_images=64", "train.global_batch=8", "train.microbatch=4",
                      "diffusion.ddpm.num_train_timesteps=10"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(std::get<DdpmConfig>(*config->diffusion.process).num_train_timesteps, 10);
  EXPECT_FALSE(config->model.has_value());
}

TEST(OverrideTest, NamesTheOverrideAndWhatIsAllowed) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"train.microbatch=24",
       "--set train.microbatch=24: value 24: must divide "
       "train.global_batch, which is 32"},
      {"model.unet.norm_num_groups=7",
       "--set model.unet.norm_num_groups=7: value 7: must divide each of block_out_channels, and "
       "does not divide 32"},
      {"train.microbatch=many",
       "--set train.microbatch=many: value many: must be a whole number "
       "from -9223372036854775808 to 9223372036854775807"},
      {"train.microbatch=",
       "--set train.microbatch=: value : must be a whole number from "
       "-9223372036854775808 to 9223372036854775807"},
      {"train.microbatch=1.5",
       "--set train.microbatch=1.5: value 1.5: must be a whole number from "
       "-9223372036854775808 to 9223372036854775807"},
      {"train.microbatch=null",
       "--set train.microbatch=null: value null: must be a whole number from "
       "-9223372036854775808 to 9223372036854775807"},
      {"data.prefetch=3000000000",
       "--set data.prefetch=3000000000: value 3000000000: must be a "
       "whole number from -2147483648 to 2147483647"},
      {"seed=-1",
       "--set seed=-1: value -1: must be a whole number from 0 to "
       "18446744073709551615"},
      {"optimizer.learning_rate=fast",
       "--set optimizer.learning_rate=fast: value fast: must be a "
       "number"},
      {"optimizer.learning_rate=nan",
       "--set optimizer.learning_rate=nan: value nan: must be a finite number, 0 or more"},
      {"data.mix.path=a",
       "--set data.mix.path=a: data.mix is a list of groups, which only the config's file can "
       "give"},
      {"data.verify_checksums=yes",
       "--set data.verify_checksums=yes: value yes: must be true or false"},
      {"train.precision=bf16", "--set train.precision=bf16: value bf16: must be one of FP32, BF16"},
      {"model.unet.block_out_channels=[64,x]",
       "--set model.unet.block_out_channels=[64,x]: value x: must be a whole number from "
       "-9223372036854775808 to 9223372036854775807, or a list [a, b] of them"},
      {"train.microbach=16",
       "--set train.microbach=16: there is no such field; did you mean microbatch? train has "
       "total_images, global_batch, microbatch, precision"},
      {"learning_rate=1",
       "--set learning_rate=1: there is no such field; did you mean optimizer.learning_rate? a run "
       "config has seed, model, diffusion, data, optimizer, ema, train, distributed, checkpoint, "
       "monitor"},
      {"ema.colour=red",
       "--set ema.colour=red: there is no such field; ema has decay, "
       "half_life_images, rampup_ratio, power_std, snapshot_every_images"},
      {"seed.x=1", "--set seed.x=1: seed is a value and has no fields"},
      {"train=5",
       "--set train=5: train is a group of fields: set one of total_images, "
       "global_batch, microbatch, precision"},
      {"train.microbatch",
       "--set train.microbatch: must be a field and its value, like "
       "train.microbatch=16"},
  };
  for (const auto& [override_text, message] : cases) {
    const absl::Status status = Load({override_text}).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << override_text;
    EXPECT_EQ(status.message(), message);
  }
}

// The value that is wrong stands in the file, though an override made it so.
TEST(OverrideTest, AContradictionNamesTheFieldThatIsChecked) {
  EXPECT_EQ(
      ParseRunConfig(kMinimalText, "run.textproto", {"train.global_batch=100"}).status().message(),
      "run.textproto:4: field train.microbatch: value 32: must divide train.global_batch, "
      "which is 100");
}

}  // namespace
}  // namespace langevin::configs
