// The architecture of a UNet2DModel, by diffusers' field names.
//
// A plain value. Null fields of config.json are empty optionals.
#ifndef LANGEVIN_CONFIGS_UNET_CONFIG_H_
#define LANGEVIN_CONFIGS_UNET_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "configs/config_problem.h"

namespace langevin::configs {

struct UNetConfig {
  std::vector<int64_t> sample_size;  // Empty, {side}, or {height, width}.
  int64_t in_channels = 3;
  int64_t out_channels = 3;
  bool center_input_sample = false;
  std::string time_embedding_type = "positional";
  std::optional<int64_t> time_embedding_dim;
  int64_t freq_shift = 0;
  bool flip_sin_to_cos = true;
  std::vector<std::string> down_block_types;
  std::optional<std::string> mid_block_type = "UNetMidBlock2D";
  std::vector<std::string> up_block_types;
  std::vector<int64_t> block_out_channels;
  int64_t layers_per_block = 2;
  double mid_block_scale_factor = 1;
  int64_t downsample_padding = 1;
  std::string downsample_type = "conv";
  std::string upsample_type = "conv";
  double dropout = 0;
  std::string act_fn = "silu";
  std::optional<int64_t> attention_head_dim;
  std::optional<int64_t> norm_num_groups = 32;  // Null only where all blocks are named Skip.
  std::optional<int64_t> attn_norm_num_groups;
  double norm_eps = 1e-5;
  std::string resnet_time_scale_shift = "default";
  bool add_attention = true;
  std::optional<std::string> class_embed_type;
  std::optional<int64_t> num_class_embeds;
  std::optional<int64_t> num_train_timesteps;

  friend bool operator==(const UNetConfig&, const UNetConfig&) = default;

  // Height and width; {0, 0} if sample_size is null.
  int64_t sample_height() const { return sample_size.empty() ? 0 : sample_size.front(); }
  int64_t sample_width() const { return sample_size.empty() ? 0 : sample_size.back(); }
  int64_t time_embed_dim() const {
    return time_embedding_dim.value_or(4 * block_out_channels.at(0));
  }
  // Whether forward needs class labels.
  bool is_conditional() const {
    return class_embed_type.has_value() || num_class_embeds.has_value();
  }
};

// The field is its name inside UNetConfig.
using UNetConfigProblem = ConfigProblem;

// NCSN++'s blocks ("SkipDownBlock2D", "AttnSkipUpBlock2D", ...; Song et al. 2021), as diffusers has
// them: they see and make images of three channels, and choose the groups of their norms
// themselves.
bool IsSkipBlock(std::string_view type);
inline constexpr int64_t kSkipBlockImageChannels = 3;
inline constexpr int64_t kSkipAttentionGroups = 32;
// Groups of a norm over so many channels in such a block; 0 if there are too few of them.
constexpr int64_t SkipBlockGroups(int64_t channels) {
  return channels / 4 < 32 ? channels / 4 : 32;
}
// Of the first norm of a resnet in such an up block, over `hidden` channels and `skip` more from a
// skip connection. (diffusers' AttnSkipUpBlock2D divides only the latter by 4.)
constexpr int64_t SkipUpBlockGroups(bool attention, int64_t hidden, int64_t skip) {
  if (!attention) return SkipBlockGroups(hidden + skip);
  return hidden + skip / 4 < 32 ? hidden + skip / 4 : 32;
}

// The first thing that makes the architecture impossible or that this program does not have, or
// nothing. Also checks that height and width can be halved as often as the blocks do, if
// sample_size is given.
std::optional<UNetConfigProblem> FindProblem(const UNetConfig& config);

// Reads the text of a diffusers config.json. Fields that are missing have the defaults of
// UNet2DModel.__init__ in diffusers 0.42.1 (attention_head_dim 8, block_out_channels
// (224, 448, 672, 896), ...); names that begin with "_" are passed over; other unknown fields,
// wrong types and impossible values are InvalidArgument, naming `file`, field, value and what is
// allowed.
absl::StatusOr<UNetConfig> UNetConfigFromJson(std::string_view json, std::string_view file);

// The text of a config.json that UNet2DModel.from_pretrained loads: every field, "_class_name" and
// "_diffusers_version".
std::string UNetConfigToJson(const UNetConfig& config);

}  // namespace langevin::configs

#endif  // LANGEVIN_CONFIGS_UNET_CONFIG_H_
