// Networks of a few weights, for images of 8 x 8 with one channel.
#ifndef LANGEVIN_TESTS_CORE_MODEL_SMALL_CONFIGS_H_
#define LANGEVIN_TESTS_CORE_MODEL_SMALL_CONFIGS_H_

#include "configs/model_config.h"

namespace langevin::model {

inline configs::UNetConfig SmallUNet() {
  configs::UNetConfig config;
  config.sample_size = {8};
  config.in_channels = config.out_channels = 1;
  config.block_out_channels = {8, 16};
  config.down_block_types = {"DownBlock2D", "DownBlock2D"};
  config.up_block_types = {"UpBlock2D", "UpBlock2D"};
  config.layers_per_block = 1;
  config.norm_num_groups = 4;
  return config;
}

inline configs::Edm2UNetConfig SmallEdm2UNet() {
  configs::Edm2UNetConfig config;
  config.in_channels = 1;
  config.model_channels = 8;
  config.channel_mult = {1, 2};
  config.num_blocks = 1;
  config.channels_per_head = 8;
  return config;
}

// With three classes.
inline configs::DiTConfig SmallDiT() {
  configs::DiTConfig config;
  config.num_attention_heads = 2;
  config.attention_head_dim = 8;
  config.in_channels = 1;
  config.num_layers = 1;
  config.num_embeds_ada_norm = 3;
  config.sample_size = 8;
  return config;
}

}  // namespace langevin::model

#endif  // LANGEVIN_TESTS_CORE_MODEL_SMALL_CONFIGS_H_
