// What the rest of the program asks of a model's config, whatever its family.
#include "configs/model_config.h"

#include <string>
#include <vector>

#include "configs/run_config.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/configs/test_configs.h"

namespace langevin::configs {
namespace {

using testing::HasSubstr;

constexpr char kTrain[] = "train { total_images: 64 global_batch: 8 microbatch: 4 }\n";

RunConfig MustParse(const std::string& model) {
  const absl::StatusOr<RunConfig> config = ParseRunConfig(kTrain + model, "run.textproto", {});
  EXPECT_TRUE(config.ok()) << config.status();
  return config.ok() ? *config : RunConfig();
}

std::string ErrorOf(const std::string& model, const std::vector<std::string>& overrides = {}) {
  return std::string(ParseRunConfig(kTrain + model, "run.textproto", overrides).status().message());
}

Edm2UNetConfig UnusualEdm2() {
  return {.sample_size = {16, 24},
          .in_channels = 2,
          .model_channels = 32,
          .channel_mult = {2, 3},
          .num_blocks = 4,
          .attention_levels = {0},
          .channels_per_head = 16,
          .num_classes = 7,
          .dropout = 0.1,
          .label_balance = 0.4,
          .concat_balance = 0.6,
          .res_balance = 0.2,
          .attn_balance = 0.1,
          .clip_act = 100,
          .time_scale = 0.01};
}

DiTConfig UnusualDiT() {
  return {.num_attention_heads = 3,
          .attention_head_dim = 8,
          .in_channels = 2,
          .out_channels = 2,
          .num_layers = 5,
          .dropout = 0.1,
          .norm_num_groups = 4,
          .attention_bias = false,
          .sample_size = 12,
          .patch_size = 3,
          .activation_fn = "gelu",
          .num_embeds_ada_norm = 6,
          .upcast_attention = true,
          .norm_elementwise_affine = true,
          .norm_eps = 1e-3};
}

TEST(ModelConfigTest, TextAndJsonGiveItBack) {
  UNetConfig unet = SmallUNet();
  unet.num_class_embeds = 5;
  unet.out_channels = unet.in_channels;
  for (const ModelConfig& model :
       {ModelConfig{.architecture = unet, .label_dropout = 0.1},
        ModelConfig{.architecture = UnusualDiT(), .label_dropout = 0.2},
        ModelConfig{.architecture = UnusualEdm2(), .label_dropout = 0.3}}) {
    RunConfig config = MustParse("");
    config.model = model;
    const absl::StatusOr<RunConfig> back = ParseRunConfig(ToText(config), "back", {});
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->model, model);
    const std::string json = ModelConfigToJson(model);
    const absl::StatusOr<ModelConfig> read = ModelConfigFromJson(json, "x", model.label_dropout);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, model);
    EXPECT_THAT(json, HasSubstr("\"_class_name\": \"" + model.class_name() + "\""));
  }
}

TEST(ModelConfigTest, DefaultsAreThoseOfThePapers) {
  const ModelConfig dit = *MustParse("model { dit {} }").model;
  EXPECT_EQ(dit, (ModelConfig{.architecture = DiTConfig{}}));  // DiT-XL/2.
  EXPECT_EQ(dit.null_class(), std::nullopt);
  EXPECT_EQ(*MustParse("model { edm2_unet {} }").model,
            (ModelConfig{.architecture = Edm2UNetConfig{}}));
}

// config.json counts the null label among the classes; what is known of training says that it is.
TEST(ModelConfigTest, NullLabelIsOneClassMoreForDiffusers) {
  UNetConfig unet = SmallUNet();
  unet.num_class_embeds = 5;
  const ModelConfig model{.architecture = unet, .label_dropout = 0.1};
  EXPECT_EQ(model.num_classes(), 5);
  EXPECT_EQ(model.null_class(), 5);
  const std::string json = ModelConfigToJson(model);
  EXPECT_THAT(json, HasSubstr("\"num_class_embeds\": 6"));
  EXPECT_EQ(ModelConfigFromJson(json, "x", std::nullopt)->num_classes(), 6);
  EXPECT_EQ(ModelConfigFromJson(json, "x", std::nullopt)->null_class(), std::nullopt);
  // diffusers' DiT always has it, and drops labels one time in ten.
  const std::string dit = ModelConfigToJson({.architecture = UnusualDiT()});
  EXPECT_EQ(ModelConfigFromJson(dit, "x", std::nullopt)->null_class(), 6);
  EXPECT_EQ(ModelConfigFromJson(dit, "x", 0.0)->null_class(), std::nullopt);
}

TEST(ModelConfigTest, NamesFieldValueAndWhatIsAllowed) {
  EXPECT_EQ(ErrorOf("model { dit {\npatch_size: 0 } }"),
            "run.textproto:3: field model.dit.patch_size: value 0: must be from 1 to 1024");
  EXPECT_THAT(
      ErrorOf("model { dit { sample_size: 9 } }"),
      HasSubstr("model.dit.sample_size: value 9: must be a multiple of patch_size, which is 2"));
  EXPECT_THAT(ErrorOf("diffusion { ddpm {} } model { dit { out_channels: 8 } }"),
              HasSubstr("model.dit.out_channels: value 8: must equal in_channels, which is 4"));
  EXPECT_THAT(
      ErrorOf("model { edm2_unet { model_channels: 100 } }"),
      HasSubstr("model.edm2_unet.channel_mult: value 4: there is attention over 400 channels "
                "there, which channels_per_head, which is 64, must divide"));
  EXPECT_THAT(ErrorOf("model { edm2_unet { attention_levels: 4 } }"),
              HasSubstr("model.edm2_unet.attention_levels: value 4: must be from 0 to 3"));
  EXPECT_THAT(ErrorOf("model { edm2_unet { sample_size: 28 } }"),
              HasSubstr("model.edm2_unet.sample_size: value 28: must be a multiple of 8, because 4 "
                        "resolutions halve it 3 times"));
  EXPECT_THAT(ErrorOf("model { edm2_unet { res_balance: 1.5 } }"),
              HasSubstr("model.edm2_unet.res_balance: value 1.5: must be from 0 to 1"));
  EXPECT_THAT(ErrorOf("model { edm2_unet {} label_dropout: 0.1 }"),
              HasSubstr("model.label_dropout: value 0.1: must be 0 for a model without a table of "
                        "classes (num_classes)"));
  EXPECT_THAT(ErrorOf("model { dit {} label_dropout: -1 }"),
              HasSubstr("model.label_dropout: value -1: must be at least 0 and below 1"));
  EXPECT_THAT(
      ErrorOf("model { label_dropout: 0.1 }"),
      HasSubstr("model.label_dropout: stands alone: must be beside unet, dit or edm2_unet"));
  EXPECT_THAT(ErrorOf("model { dit {} augment_dim: 9 }"),
              HasSubstr("model.augment_dim: value 9: must be 0 for dit; unet alone has it"));
  EXPECT_THAT(ErrorOf("model { dit { in_channels: 3 } self_conditioning: true }"),
              HasSubstr("model.self_conditioning: value true: needs dit.in_channels twice those of "
                        "the images, for the estimate beside them, and 3 is odd"));
  EXPECT_THAT(
      ErrorOf("model { edm2_unet { in_channels: 2 } self_conditioning: true }"),
      HasSubstr("model.self_conditioning: value true: must be false for edm2_unet, which has "
                "as many channels at its output as at its input; use unet or dit"));
  EXPECT_THAT(ErrorOf("model { dit { in_channels: 4 } self_conditioning: true }",
                      {"diffusion.ddpm.prediction=SAMPLE"}),
              HasSubstr("model.dit.out_channels: value 4: must equal half of in_channels, which is "
                        "2: the network predicts an image like the one it gets"));
  EXPECT_THAT(ErrorOf("model { self_conditioning: true }"),
              HasSubstr("model.self_conditioning: stands alone"));
  EXPECT_THAT(ErrorOf("model { dit {} edm2_unet {} }"), HasSubstr("edm2_unet"));
  EXPECT_THAT(
      ErrorOf("model { edm2_unet {} }", {"train.precision=BF16", "distributed.zero_stage=1"}),
      HasSubstr("distributed.zero_stage"));
}

TEST(ModelConfigTest, AugmentLabelsNeedTheirPipeline) {
  RunConfig config = MustParse("");
  UNetConfig unet = SmallUNet();
  unet.out_channels = unet.in_channels;
  config.model = ModelConfig{.architecture = unet, .augment_dim = 9};
  EXPECT_THAT(ParseRunConfig(ToText(config), "x", {}).status().message(),
              HasSubstr("model.augment_dim: value 9: needs data.augment.edm"));
  config.data.augment.edm.probability = 0.1;
  EXPECT_TRUE(ParseRunConfig(ToText(config), "x", {}).ok());
}

TEST(ModelConfigTest, RefusesOtherClasses) {
  EXPECT_EQ(
      ModelConfigFromJson(R"({"_class_name": "UNet2DConditionModel"})", "config.json", {})
          .status()
          .message(),
      "config.json: field _class_name: value \"UNet2DConditionModel\": must be \"UNet2DModel\"; "
      "other models cannot be used");
  EXPECT_THAT(ModelConfigFromJson(R"({"_class_name": "DiTTransformer2DModel", "num_heads": 3})",
                                  "config.json", {})
                  .status()
                  .message(),
              HasSubstr("config.json: field num_heads: value 3: DiTTransformer2DModel of diffusers "
                        "0.42.1 has no such field"));
}

}  // namespace
}  // namespace langevin::configs
