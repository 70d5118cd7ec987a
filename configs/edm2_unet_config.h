// The architecture of a magnitude-preserving UNet (Karras et al. 2024, "Analyzing and Improving the
// Training Dynamics of Diffusion Models": configuration G, "EDM2").
//
// A plain value. Defaults are those of the paper's smallest model (EDM2-XS has model_channels 128).
#ifndef LANGEVIN_CONFIGS_EDM2_UNET_CONFIG_H_
#define LANGEVIN_CONFIGS_EDM2_UNET_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/config_problem.h"

namespace langevin::configs {

// Its name in config.json. diffusers has no such class.
inline constexpr std::string_view kEdm2UNetClass = "LangevinEdm2UNet";

struct Edm2UNetConfig {
  std::vector<int64_t> sample_size;  // Empty, {side}, or {height, width}.
  int64_t in_channels = 3;           // Also of the output.
  int64_t model_channels = 128;
  std::vector<int64_t> channel_mult = {1, 2, 3, 4};  // One for each resolution, the largest first.
  int64_t num_blocks = 3;                            // For each resolution of the encoder.
  std::vector<int64_t> attention_levels;             // Places in channel_mult, from 0.
  int64_t channels_per_head = 64;
  std::optional<int64_t> num_classes;
  double dropout = 0;
  double label_balance = 0.5;
  double concat_balance = 0.5;
  double res_balance = 0.3;
  double attn_balance = 0.3;
  double clip_act = 256;
  double time_scale = 1;

  friend bool operator==(const Edm2UNetConfig&, const Edm2UNetConfig&) = default;
};

// The first thing that makes the architecture impossible, or nothing.
std::optional<ConfigProblem> FindProblem(const Edm2UNetConfig& config);

// Reads and writes config.json; as UNetConfigFromJson.
absl::StatusOr<Edm2UNetConfig> Edm2UNetConfigFromJson(std::string_view json, std::string_view file);
std::string Edm2UNetConfigToJson(const Edm2UNetConfig& config);

}  // namespace langevin::configs

#endif  // LANGEVIN_CONFIGS_EDM2_UNET_CONFIG_H_
