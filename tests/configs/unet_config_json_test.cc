#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "configs/unet_config.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "nlohmann/json.hpp"
#include "tests/configs/test_configs.h"

namespace langevin::configs {
namespace {

using ::testing::HasSubstr;

std::string ErrorOf(const std::string& json) {
  const absl::StatusOr<UNetConfig> config = UNetConfigFromJson(json, "unet/config.json");
  if (config.ok()) return "OK";
  EXPECT_EQ(config.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(config.status().message());
}

// What UNet2DModel(sample_size=(16, 32), attention_head_dim=None, norm_eps=1e-6,
// mid_block_type=None, class_embed_type="timestep", block_out_channels=[32, 64],
// down_block_types=("DownBlock2D", "AttnDownBlock2D"), up_block_types=("AttnUpBlock2D",
// "UpBlock2D"), mid_block_scale_factor=1.5).save_config() writes in diffusers 0.42.1.
constexpr char kWrittenByDiffusers[] = R"({
  "_class_name": "UNet2DModel",
  "_diffusers_version": "0.42.1",
  "act_fn": "silu",
  "add_attention": true,
  "attention_head_dim": null,
  "attn_norm_num_groups": null,
  "block_out_channels": [
    32,
    64
  ],
  "center_input_sample": false,
  "class_embed_type": "timestep",
  "down_block_types": [
    "DownBlock2D",
    "AttnDownBlock2D"
  ],
  "downsample_padding": 1,
  "downsample_type": "conv",
  "dropout": 0.0,
  "flip_sin_to_cos": true,
  "freq_shift": 0,
  "in_channels": 3,
  "layers_per_block": 2,
  "mid_block_scale_factor": 1.5,
  "mid_block_type": null,
  "norm_eps": 1e-06,
  "norm_num_groups": 32,
  "num_class_embeds": null,
  "num_train_timesteps": null,
  "out_channels": 3,
  "resnet_time_scale_shift": "default",
  "sample_size": [
    16,
    32
  ],
  "time_embedding_dim": null,
  "time_embedding_type": "positional",
  "up_block_types": [
    "AttnUpBlock2D",
    "UpBlock2D"
  ],
  "upsample_type": "conv"
}
)";

TEST(UNetConfigJsonTest, WritesWhatDiffusersWrites) {
  const absl::StatusOr<UNetConfig> config =
      UNetConfigFromJson(kWrittenByDiffusers, "unet/config.json");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->sample_size, (std::vector<int64_t>{16, 32}));
  EXPECT_EQ(config->mid_block_type, std::nullopt);
  EXPECT_EQ(config->class_embed_type, "timestep");
  EXPECT_EQ(config->norm_eps, 1e-6);
  EXPECT_EQ(UNetConfigToJson(*config), kWrittenByDiffusers);
}

// The defaults of UNet2DModel.__init__, read off with inspect.signature.
TEST(UNetConfigJsonTest, MissingFieldsHaveDiffusersDefaults) {
  const absl::StatusOr<UNetConfig> config = UNetConfigFromJson("{}", "unet/config.json");
  ASSERT_TRUE(config.ok()) << config.status();
  const auto json = nlohmann::json::parse(UNetConfigToJson(*config));
  EXPECT_EQ(json, nlohmann::json::parse(R"({
      "_class_name": "UNet2DModel", "_diffusers_version": "0.42.1",
      "sample_size": null, "in_channels": 3, "out_channels": 3, "center_input_sample": false,
      "time_embedding_type": "positional", "time_embedding_dim": null, "freq_shift": 0,
      "flip_sin_to_cos": true,
      "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D"],
      "mid_block_type": "UNetMidBlock2D",
      "up_block_types": ["AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"],
      "block_out_channels": [224, 448, 672, 896], "layers_per_block": 2,
      "mid_block_scale_factor": 1, "downsample_padding": 1, "downsample_type": "conv",
      "upsample_type": "conv", "dropout": 0.0, "act_fn": "silu", "attention_head_dim": 8,
      "norm_num_groups": 32, "attn_norm_num_groups": null, "norm_eps": 1e-05,
      "resnet_time_scale_shift": "default", "add_attention": true, "class_embed_type": null,
      "num_class_embeds": null, "num_train_timesteps": null})"));
}

// google/ddpm-cifar10-32, written by diffusers 0.0.4.
TEST(UNetConfigJsonTest, ReadsAnOldPublishedConfig) {
  const absl::StatusOr<UNetConfig> config = UNetConfigFromJson(
      R"({"_class_name": "UNet2DModel", "_diffusers_version": "0.0.4", "act_fn": "silu",
          "attention_head_dim": null, "block_out_channels": [128, 256, 256, 256],
          "center_input_sample": false,
          "down_block_types": ["DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"],
          "downsample_padding": 0, "flip_sin_to_cos": false, "freq_shift": 1, "in_channels": 3,
          "layers_per_block": 2, "mid_block_scale_factor": 1, "norm_eps": 1e-06,
          "norm_num_groups": 32, "out_channels": 3, "sample_size": 32,
          "time_embedding_type": "positional",
          "up_block_types": ["UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"]})",
      "unet/config.json");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->sample_height(), 32);
  EXPECT_EQ(config->sample_width(), 32);
  EXPECT_EQ(config->attention_head_dim, std::nullopt);
  EXPECT_EQ(config->time_embed_dim(), 512);
  EXPECT_FALSE(config->is_conditional());
}

TEST(UNetConfigJsonTest, EveryFieldSurvivesTheWayOutAndBack) {
  UNetConfig config = SmallUNet();
  config.center_input_sample = true;
  config.time_embedding_type = "learned";
  config.time_embedding_dim = 48;
  config.freq_shift = 1;
  config.flip_sin_to_cos = false;
  config.down_block_types[0] = "ResnetDownsampleBlock2D";
  config.up_block_types[1] = "ResnetUpsampleBlock2D";
  config.layers_per_block = 3;
  config.mid_block_scale_factor = std::sqrt(2.0);
  config.downsample_padding = 0;
  config.downsample_type = "resnet";
  config.upsample_type = "resnet";
  config.dropout = 0.1;
  config.act_fn = "gelu";
  config.attention_head_dim = 4;
  config.attn_norm_num_groups = 2;
  config.norm_eps = 1.0 / 3;
  config.resnet_time_scale_shift = "scale_shift";
  config.add_attention = false;
  config.class_embed_type = "identity";
  config.num_class_embeds = 3;
  config.num_train_timesteps = 77;
  for (const std::vector<int64_t>& size : {std::vector<int64_t>{}, {8}, {8, 6}}) {
    config.sample_size = size;
    const absl::StatusOr<UNetConfig> back = UNetConfigFromJson(UNetConfigToJson(config), "f");
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(*back, config);
  }
}

TEST(UNetConfigJsonTest, NullMeansTheDefaultSamplings) {
  const absl::StatusOr<UNetConfig> config =
      UNetConfigFromJson(R"({"downsample_type": null, "upsample_type": null})", "f");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->downsample_type, "conv");
  EXPECT_EQ(config->upsample_type, "conv");
}

TEST(UNetConfigJsonTest, NamesFileFieldValueAndWhatIsAllowed) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"norm_num_groups": 33})",
       "unet/config.json: field norm_num_groups: value 33: must divide each of block_out_channels, "
       "and does not divide 224"},
      {R"({"layers_per_block": "2"})",
       "unet/config.json: field layers_per_block: value \"2\": must be a whole number"},
      {R"({"layers_per_block": 2.5})",
       "unet/config.json: field layers_per_block: value 2.5: must be a whole number"},
      {R"({"layers_per_block": null})",
       "unet/config.json: field layers_per_block: value null: must be a whole number"},
      {R"({"in_channels": 18446744073709551615})",
       "unet/config.json: field in_channels: value 18446744073709551615: must be a whole number"},
      {R"({"dropout": true})", "unet/config.json: field dropout: value true: must be a number"},
      {R"({"add_attention": 1})",
       "unet/config.json: field add_attention: value 1: must be true or false"},
      {R"({"act_fn": ["silu"]})",
       "unet/config.json: field act_fn: value [\"silu\"]: must be a string"},
      {R"({"block_out_channels": 64})",
       "unet/config.json: field block_out_channels: value 64: must be a list"},
      {R"({"block_out_channels": [64, "a"]})",
       "unet/config.json: field block_out_channels: value \"a\": must be a whole number"},
      {R"({"sample_size": 28.0})",
       "unet/config.json: field sample_size: value 28.0: must be null, a whole number, or a list "
       "of height and width"},
      {R"({"sample_size": [28]})",
       "unet/config.json: field sample_size: value [28]: must be null, a whole number, or a list "
       "of height and width"},
      {R"({"norm_num_group": 8})",
       "unet/config.json: field norm_num_group: value 8: UNet2DModel of diffusers 0.42.1 has no "
       "such "
       "field; did you mean norm_num_groups?"},
      {R"({"cross_attention_dim": 768})",
       "unet/config.json: field cross_attention_dim: value 768: UNet2DModel of diffusers 0.42.1 "
       "has no such field"},
      {R"({"_class_name": "UNet2DConditionModel"})",
       "unet/config.json: field _class_name: value \"UNet2DConditionModel\": must be "
       "\"UNet2DModel\"; other models cannot be used"},
      {"", "unet/config.json:1: is not JSON: it ends too early"},
      {"{\"dropout\":\n0.1", "unet/config.json:2: is not JSON: it ends too early"},
      {"{\"dropout\":\n0.1,,\n}", "unet/config.json:2: is not JSON: there is a syntax error"},
      {"[]", "unet/config.json: must hold a JSON object, as diffusers writes it"},
      {"{\"act_fn\": \"\xff\"}", "unet/config.json:1: is not JSON: there is a syntax error"},
  };
  for (const auto& [json, message] : cases) EXPECT_EQ(ErrorOf(json), message);
}

TEST(UNetConfigJsonTest, RefusesWhatIsTooLargeOrTooDeep) {
  EXPECT_THAT(ErrorOf("{}" + std::string(1 << 20, ' ')), HasSubstr("is 1048578 bytes long"));
  const std::string deep = "{\"_x\": " + std::string(500000, '[') + std::string(500000, ']') + "}";
  EXPECT_THAT(ErrorOf(deep), HasSubstr("more than 32 deep"));
  EXPECT_THAT(ErrorOf("{\"dropout\": 1e999}"), HasSubstr("unet/config.json: is not usable JSON"));
  // Brackets in strings are no nesting.
  EXPECT_EQ(ErrorOf("{\"_x\": \"\\\"" + std::string(100, '[') + "\"}"), "OK");
}

}  // namespace
}  // namespace langevin::configs
