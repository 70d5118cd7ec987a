// Which architectures are possible. The verdicts on the edges (a head wider than its block, padding
// 2, sides that cannot be halved, freq_shift) are those of diffusers 0.42.1, which was asked.
#include "configs/unet_config.h"

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/configs/test_configs.h"

namespace langevin::configs {
namespace {

std::string ProblemOf(const std::function<void(UNetConfig&)>& change) {
  UNetConfig config = SmallUNet();
  change(config);
  const std::optional<UNetConfigProblem> problem = FindProblem(config);
  return problem.has_value() ? problem->field + ": " + problem->message : "none";
}

TEST(UNetConfigTest, EveryOptionOfTheModelIsPossible) {
  const std::vector<std::function<void(UNetConfig&)>> changes = {
      [](UNetConfig&) {},
      [](UNetConfig& c) { c.sample_size = {}; },
      [](UNetConfig& c) { c.sample_size = {2}; },
      [](UNetConfig& c) { c.time_embedding_type = "fourier"; },
      [](UNetConfig& c) {
        c.time_embedding_type = "learned";
        c.num_train_timesteps = 10;
      },
      [](UNetConfig& c) { c.time_embedding_dim = 7; },
      [](UNetConfig& c) { c.freq_shift = 7; },
      [](UNetConfig& c) { c.freq_shift = -1; },
      [](UNetConfig& c) {
        c.down_block_types[0] = "ResnetDownsampleBlock2D";
        c.up_block_types[1] = "ResnetUpsampleBlock2D";
      },
      [](UNetConfig& c) { c.mid_block_type.reset(); },
      [](UNetConfig& c) { c.downsample_type = c.upsample_type = "resnet"; },
      [](UNetConfig& c) { c.downsample_padding = 0; },
      [](UNetConfig& c) { c.dropout = 0.999; },
      [](UNetConfig& c) { c.act_fn = "mish"; },
      [](UNetConfig& c) { c.attention_head_dim = 32; },
      // Does not divide the 32 channels: four heads, and projections of 28.
      [](UNetConfig& c) { c.attention_head_dim = 7; },
      [](UNetConfig& c) { c.attn_norm_num_groups = 32; },
      // Wrong, but of no part that is there.
      [](UNetConfig& c) {
        c.add_attention = false;
        c.attn_norm_num_groups = 5;
      },
      [](UNetConfig& c) { c.resnet_time_scale_shift = "scale_shift"; },
      [](UNetConfig& c) { c.class_embed_type = "timestep"; },
      [](UNetConfig& c) { c.class_embed_type = "identity"; },
      [](UNetConfig& c) { c.num_class_embeds = 10; },
      [](UNetConfig& c) { c.in_channels = 1, c.out_channels = 6; },
  };
  for (size_t i = 0; i < changes.size(); ++i) EXPECT_EQ(ProblemOf(changes[i]), "none") << i;
}

// NCSN++'s blocks, three of them.
std::string SkipProblemOf(const std::function<void(UNetConfig&)>& change) {
  return ProblemOf([&](UNetConfig& c) {
    c.in_channels = c.out_channels = 3;
    c.block_out_channels = {32, 64, 64};
    c.down_block_types = {"SkipDownBlock2D", "AttnSkipDownBlock2D", "SkipDownBlock2D"};
    c.up_block_types = {"SkipUpBlock2D", "AttnSkipUpBlock2D", "SkipUpBlock2D"};
    change(c);
  });
}

TEST(UNetConfigTest, SkipBlocksThatDiffusersCanRun) {
  const std::vector<std::function<void(UNetConfig&)>> changes = {
      [](UNetConfig&) {},
      // The image travels from the input down and up to the output; elsewhere blocks are as usual.
      [](UNetConfig& c) { c.down_block_types[1] = c.down_block_types[2] = "DownBlock2D"; },
      [](UNetConfig& c) { c.up_block_types[0] = c.up_block_types[1] = "UpBlock2D"; },
      [](UNetConfig& c) { c.down_block_types[2] = "AttnDownBlock2D"; },
      // Blocks that do not change the resolution have nothing to do with images.
      [](UNetConfig& c) {
        c.in_channels = c.out_channels = 1;
        c.down_block_types = {"DownBlock2D", "DownBlock2D", "SkipDownBlock2D"};
        c.up_block_types = {"UpBlock2D", "UpBlock2D", "SkipUpBlock2D"};
      },
      // 9 groups in the blocks; norm_num_groups is that of the first and the last norms alone.
      [](UNetConfig& c) {
        c.block_out_channels = {36, 36, 36};
        c.down_block_types.assign(3, "SkipDownBlock2D");
        c.up_block_types.assign(3, "SkipUpBlock2D");
        c.norm_num_groups = 6;
      },
      [](UNetConfig& c) { c.norm_num_groups.reset(); },
  };
  for (size_t i = 0; i < changes.size(); ++i) EXPECT_EQ(SkipProblemOf(changes[i]), "none") << i;
}

TEST(UNetConfigTest, SkipBlocksThatDiffusersCannotRun) {
  EXPECT_EQ(SkipProblemOf([](UNetConfig& c) {
              c.norm_num_groups.reset();
              c.down_block_types[2] = "DownBlock2D";
            }),
            "norm_num_groups: is null: must be a number, because DownBlock2D needs it");
  EXPECT_EQ(SkipProblemOf([](UNetConfig& c) { c.in_channels = 1; }),
            "in_channels: value 1: must be 3: blocks named Skip know colour images only");
  EXPECT_EQ(SkipProblemOf([](UNetConfig& c) { c.out_channels = 1; }),
            "out_channels: value 1: must be 3: blocks named Skip know colour images only");
  EXPECT_EQ(
      SkipProblemOf([](UNetConfig& c) { c.down_block_types[0] = "DownBlock2D"; }),
      "down_block_types: value \"AttnSkipDownBlock2D\" after \"DownBlock2D\": blocks named Skip "
      "must come first, because the image they look at is halved by such blocks alone");
  EXPECT_EQ(
      SkipProblemOf([](UNetConfig& c) { c.up_block_types[2] = "UpBlock2D"; }),
      "up_block_types: value \"UpBlock2D\" after \"AttnSkipUpBlock2D\": blocks named Skip must "
      "come last, because the image they add to is doubled by such blocks alone");
  EXPECT_EQ(SkipProblemOf([](UNetConfig& c) { c.block_out_channels[1] = 48; }),
            "block_out_channels: a norm of AttnSkipDownBlock2D over 48 channels would have 32 "
            "groups, which must divide them; multiples of 32 are always possible");
  EXPECT_EQ(SkipProblemOf([](UNetConfig& c) { c.block_out_channels[0] = 18; }),
            "block_out_channels: a norm of SkipDownBlock2D over 18 channels would have 4 groups, "
            "which must divide them; multiples of 32 are always possible");
  EXPECT_EQ(
      SkipProblemOf([](UNetConfig& c) { c.norm_num_groups = 24; }),
      "norm_num_groups: value 24: must divide each of block_out_channels, and does not divide "
      "32");
}

TEST(UNetConfigTest, NamesFieldValueAndWhatIsAllowed) {
  struct Case {
    std::function<void(UNetConfig&)> change;
    std::string problem;
  };
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<Case> cases = {
      {[](UNetConfig& c) { c.norm_num_groups = 7; },
       "norm_num_groups: value 7: must divide each of block_out_channels, and does not divide 16"},
      {[](UNetConfig& c) {
         c.block_out_channels = {16, 36};
       },
       "norm_num_groups: value 8: must divide each of block_out_channels, and does not divide 36"},
      {[](UNetConfig& c) { c.norm_num_groups = 0; },
       "norm_num_groups: value 0: must be from 1 to 65536"},
      {[](UNetConfig& c) { c.attn_norm_num_groups = 5; },
       "attn_norm_num_groups: value 5: must divide the last of block_out_channels, which is 32"},
      {[](UNetConfig& c) { c.attention_head_dim = 33; },
       "attention_head_dim: value 33: must be at most the channels of each block with attention, "
       "and one has 32"},
      {[](UNetConfig& c) {
         c.attention_head_dim = 32;
         c.up_block_types[1] = "AttnUpBlock2D";
       },
       "attention_head_dim: value 32: must be at most the channels of each block with attention, "
       "and one has 16"},
      {[](UNetConfig& c) { c.down_block_types = {"DownBlock2D"}; },
       "down_block_types: has 1 names: must have 2, one for each of block_out_channels [16, 32]"},
      {[](UNetConfig& c) { c.up_block_types.push_back("UpBlock2D"); },
       "up_block_types: has 3 names: must have 2, one for each of block_out_channels [16, 32]"},
      {[](UNetConfig& c) { c.block_out_channels = {}; },
       "block_out_channels: has 0 numbers: must have one for each block, from 1 to 16"},
      {[](UNetConfig& c) { c.block_out_channels.assign(17, 16); },
       "block_out_channels: has 17 numbers: must have one for each block, from 1 to 16"},
      {[](UNetConfig& c) { c.block_out_channels[1] = 65544; },
       "block_out_channels: value 65544: must be from 1 to 65536"},
      {[](UNetConfig& c) { c.block_out_channels[0] = -16; },
       "block_out_channels: value -16: must be from 1 to 65536"},
      {[](UNetConfig& c) { c.down_block_types[1] = "CrossAttnDownBlock2D"; },
       "down_block_types: value \"CrossAttnDownBlock2D\": must be one of DownBlock2D, "
       "AttnDownBlock2D, ResnetDownsampleBlock2D, SkipDownBlock2D, AttnSkipDownBlock2D"},
      {[](UNetConfig& c) { c.up_block_types[0] = "Up\nBlock"; },
       "up_block_types: value \"Up?Block\": must be one of UpBlock2D, AttnUpBlock2D, "
       "ResnetUpsampleBlock2D, SkipUpBlock2D, AttnSkipUpBlock2D"},
      {[](UNetConfig& c) { c.mid_block_type = "UNetMidBlock2DCrossAttn"; },
       "mid_block_type: value \"UNetMidBlock2DCrossAttn\": must be UNetMidBlock2D or null"},
      {[](UNetConfig& c) { c.time_embedding_type = "sine"; },
       "time_embedding_type: value \"sine\": must be one of positional, fourier, learned"},
      {[](UNetConfig& c) { c.time_embedding_type = "learned"; },
       "num_train_timesteps: is null: time_embedding_type \"learned\" needs it for the size of its "
       "table"},
      {[](UNetConfig& c) { c.freq_shift = 8; },
       "freq_shift: value 8: must be below half of the first of block_out_channels, which is 16"},
      {[](UNetConfig& c) { c.downsample_type = "pool"; },
       "downsample_type: value \"pool\": must be one of conv, resnet"},
      {[](UNetConfig& c) { c.upsample_type = ""; },
       "upsample_type: value \"\": must be one of conv, resnet"},
      {[](UNetConfig& c) { c.act_fn = "tanh"; },
       "act_fn: value \"tanh\": must be one of silu, swish, mish, gelu, relu"},
      {[](UNetConfig& c) { c.resnet_time_scale_shift = "spatial"; },
       "resnet_time_scale_shift: value \"spatial\": must be one of default, scale_shift"},
      {[](UNetConfig& c) { c.class_embed_type = "projection"; },
       "class_embed_type: value \"projection\": must be one of timestep, identity or null"},
      {[](UNetConfig& c) { c.num_class_embeds = 10'000'001; },
       "num_class_embeds: value 10000001: must be from 1 to 10000000"},
      {[](UNetConfig& c) {
         c.sample_size = {13, 20};
       },
       "sample_size: value 13: must be a multiple of 2, because 2 blocks halve it 1 times"},
      {[](UNetConfig& c) {
         c.sample_size = {12, 21};
       },
       "sample_size: value 21: must be a multiple of 2, because 2 blocks halve it 1 times"},
      {[](UNetConfig& c) { c.sample_size = {0}; }, "sample_size: value 0: must be from 1 to 65536"},
      {[](UNetConfig& c) {
         c.sample_size = {8, 8, 8};
       },
       "sample_size: has 3 numbers: must be one, or height and width"},
      {[](UNetConfig& c) { c.in_channels = 0; }, "in_channels: value 0: must be from 1 to 65536"},
      {[](UNetConfig& c) { c.out_channels = -1; },
       "out_channels: value -1: must be from 1 to 65536"},
      {[](UNetConfig& c) { c.layers_per_block = 65; },
       "layers_per_block: value 65: must be from 1 to 64"},
      {[](UNetConfig& c) { c.layers_per_block = 0; },
       "layers_per_block: value 0: must be from 1 to 64"},
      {[](UNetConfig& c) { c.downsample_padding = 2; },
       "downsample_padding: value 2: must be from 0 to 1"},
      {[](UNetConfig& c) { c.mid_block_scale_factor = 0; },
       "mid_block_scale_factor: value 0: must be a finite number above 0"},
      {[](UNetConfig& c) { c.norm_eps = kNan; },
       "norm_eps: value nan: must be a finite number above 0"},
      {[](UNetConfig& c) { c.norm_eps = -1e-5; },
       "norm_eps: value -1e-05: must be a finite number above 0"},
      {[](UNetConfig& c) { c.dropout = 1; }, "dropout: value 1: must be at least 0 and below 1"},
      {[](UNetConfig& c) { c.dropout = kNan; },
       "dropout: value nan: must be at least 0 and below 1"},
      {[](UNetConfig& c) { c.time_embedding_dim = 0; },
       "time_embedding_dim: value 0: must be from 1 to 262144"},
      {[](UNetConfig& c) { c.num_train_timesteps = int64_t{1} << 62; },
       "num_train_timesteps: value 4611686018427387904: must be from 1 to 1000000"},
  };
  for (const Case& c : cases) EXPECT_EQ(ProblemOf(c.change), c.problem);
}

TEST(UNetConfigTest, EveryBlockButTheLastHalves) {
  // 28 = 4 * 7: fine for three blocks, not for four.
  UNetConfig config = SmallUNet();
  config.sample_size = {28};
  for (int blocks = 1; blocks <= 4; ++blocks) {
    config.block_out_channels.assign(blocks, 16);
    config.down_block_types.assign(blocks, "DownBlock2D");
    config.up_block_types.assign(blocks, "UpBlock2D");
    EXPECT_EQ(FindProblem(config).has_value(), blocks == 4) << blocks;
  }
}

}  // namespace
}  // namespace langevin::configs
