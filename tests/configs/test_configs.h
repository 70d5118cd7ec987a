// Configs that the tests of configs begin with.
#ifndef LANGEVIN_TESTS_CONFIGS_TEST_CONFIGS_H_
#define LANGEVIN_TESTS_CONFIGS_TEST_CONFIGS_H_

#include <string>

#include "configs/unet_config.h"
#include "core/base/file_system.h"

namespace langevin::configs {

// Two blocks with 16 and 32 channels, attention in the lower one; sizes 12 x 20.
inline UNetConfig SmallUNet() {
  UNetConfig config;
  config.sample_size = {12, 20};
  config.in_channels = 2;
  config.out_channels = 2;
  config.down_block_types = {"DownBlock2D", "AttnDownBlock2D"};
  config.up_block_types = {"AttnUpBlock2D", "UpBlock2D"};
  config.block_out_channels = {16, 32};
  config.layers_per_block = 1;
  config.norm_num_groups = 8;
  return config;
}

// The least that a run config must have.
inline constexpr char kMinimalText[] =
    "train {\n"
    "  total_images: 640\n"
    "  global_batch: 64\n"
    "  microbatch: 32\n"
    "}\n";

inline std::string PresetPath(const std::string& name) {
  return JoinPath(LANGEVIN_PRESETS_FOLDER, name + ".textproto");
}

inline constexpr const char* kPresets[] = {"cifar_like_32", "fashion_mnist",
                                           "fashion_mnist_quickstart"};

}  // namespace langevin::configs

#endif  // LANGEVIN_TESTS_CONFIGS_TEST_CONFIGS_H_
