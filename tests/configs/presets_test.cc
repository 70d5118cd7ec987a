#include "configs/presets.h"

#include <unistd.h>

#include <fstream>
#include <string>

#include "configs/run_config.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/configs/test_configs.h"

namespace langevin::configs {
namespace {

using ::testing::HasSubstr;

RunConfig LoadPreset(const std::string& name) {
  const absl::StatusOr<RunConfig> config = LoadRunConfig(PosixFileSystem(), PresetPath(name), {});
  EXPECT_TRUE(config.ok()) << config.status();
  return config.value_or(RunConfig());
}

// The network that the quickstart's reference picture was made with; the JSON is what its script
// gave to diffusers.
TEST(PresetsTest, QuickstartHasTheReferenceNetwork) {
  const RunConfig config = LoadPreset("fashion_mnist_quickstart");
  const absl::StatusOr<UNetConfig> reference = UNetConfigFromJson(
      R"({"sample_size": 28, "in_channels": 1, "out_channels": 1, "layers_per_block": 1,
          "block_out_channels": [32, 64, 64],
          "down_block_types": ["DownBlock2D", "DownBlock2D", "AttnDownBlock2D"],
          "up_block_types": ["AttnUpBlock2D", "UpBlock2D", "UpBlock2D"],
          "norm_num_groups": 8, "attention_head_dim": 32})",
      "quickstart");
  ASSERT_TRUE(reference.ok()) << reference.status();
  EXPECT_EQ(config.model->unet(), *reference);
  EXPECT_EQ(config.diffusion.process, ProcessConfig(DdpmConfig()));
  EXPECT_EQ(config.train.total_images, 60000);  // One pass.
}

TEST(PresetsTest, CifarLikeHasThePublishedNetwork) {
  const RunConfig config = LoadPreset("cifar_like_32");
  const absl::StatusOr<UNetConfig> reference = UNetConfigFromJson(
      R"({"sample_size": 32, "in_channels": 3, "out_channels": 3, "layers_per_block": 2,
          "block_out_channels": [128, 256, 256, 256],
          "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"],
          "up_block_types": ["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"],
          "norm_num_groups": 32, "norm_eps": 1e-6, "act_fn": "silu", "attention_head_dim": null,
          "center_input_sample": false, "downsample_padding": 0, "flip_sin_to_cos": false,
          "freq_shift": 1, "mid_block_scale_factor": 1, "time_embedding_type": "positional"})",
      "cifar");
  ASSERT_TRUE(reference.ok()) << reference.status();
  EXPECT_EQ(config.model->unet(), *reference);
  EXPECT_EQ(config.train.global_batch, 128);
}

TEST(PresetsTest, FashionMnistIsConditionalOnTheClass) {
  const RunConfig config = LoadPreset("fashion_mnist");
  ASSERT_TRUE(config.model.has_value());
  EXPECT_EQ(config.model->unet().num_class_embeds, 10);
  EXPECT_TRUE(config.model->unet().is_conditional());
  const auto& ddpm = std::get<DdpmConfig>(*config.diffusion.process);
  EXPECT_EQ(ddpm.beta_schedule, BetaSchedule::kCosine);
  EXPECT_EQ(ddpm.prediction, Prediction::kVPrediction);
  EXPECT_EQ(config.train.precision, Precision::kBf16);
  EXPECT_TRUE(config.data.augment.horizontal_flip);
  EXPECT_EQ(config.ema.decay, std::nullopt);
}

class ResolveConfigPathTest : public ::testing::Test {
 protected:
  ResolveConfigPathTest()
      : root_(JoinPath(::testing::TempDir(), "resolve_" + std::to_string(::getpid()))) {
    EXPECT_TRUE(PosixFileSystem().CreateFolders(JoinPath(root_, "configs/presets")).ok());
    EXPECT_TRUE(PosixFileSystem().CreateFolders(JoinPath(root_, "build")).ok());
    for (const char* name : {"big.textproto", "small.textproto", "notes.txt"}) {
      std::ofstream(JoinPath(root_, JoinPath("configs/presets", name))) << kMinimalText;
    }
  }
  ~ResolveConfigPathTest() override { PosixFileSystem().RemoveTree(root_).IgnoreError(); }

  absl::StatusOr<std::string> Resolve(const std::string& name) {
    return ResolveConfigPath(PosixFileSystem(), name, JoinPath(root_, "build"));
  }

  const std::string root_;
};

TEST_F(ResolveConfigPathTest, FindsPresetsByName) {
  for (const char* name : {"small", "small.textproto"}) {
    const absl::StatusOr<std::string> path = Resolve(name);
    ASSERT_TRUE(path.ok()) << path.status();
    EXPECT_EQ(*path, root_ + "/build/../configs/presets/small.textproto");
    EXPECT_TRUE(LoadRunConfig(PosixFileSystem(), *path, {}).ok());
  }
}

TEST_F(ResolveConfigPathTest, TakesPathsThatExistAsTheyAre) {
  const std::string path = JoinPath(root_, "configs/presets/notes.txt");
  EXPECT_EQ(*Resolve(path), path);
}

TEST_F(ResolveConfigPathTest, ListsThePresetsForANameThatIsNone) {
  const absl::StatusOr<std::string> path = Resolve("smal");
  EXPECT_EQ(path.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(path.status().message(),
            "smal: there is no such config file or preset; did you mean small?; presets: big, "
            "small");
}

// Only bare names are presets: a path must not find another file than it says.
TEST_F(ResolveConfigPathTest, PathsAreNoPresets) {
  const absl::StatusOr<std::string> path = Resolve("elsewhere/small");
  EXPECT_EQ(path.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(path.status().message(),
              HasSubstr("elsewhere/small: there is no such config file; presets: big, small"));
}

}  // namespace
}  // namespace langevin::configs
