// The architecture of a DiTTransformer2DModel (Peebles and Xie 2023), by diffusers' field names.
//
// A plain value. Null fields of config.json are empty optionals.
#ifndef LANGEVIN_CONFIGS_DIT_CONFIG_H_
#define LANGEVIN_CONFIGS_DIT_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "configs/config_problem.h"

namespace langevin::configs {

struct DiTConfig {
  int64_t num_attention_heads = 16;
  int64_t attention_head_dim = 72;
  int64_t in_channels = 4;
  std::optional<int64_t> out_channels;  // Null: in_channels.
  int64_t num_layers = 28;
  double dropout = 0;
  int64_t norm_num_groups = 32;  // Of no use; diffusers has it.
  bool attention_bias = true;
  std::optional<int64_t> sample_size;  // Side of the square images. Null: not known yet.
  int64_t patch_size = 2;
  std::string activation_fn = "gelu-approximate";
  int64_t num_embeds_ada_norm = 1000;  // Classes. The null label is one more.
  bool upcast_attention = false;       // Of no use: softmax is computed in fp32 anyway.
  std::string norm_type = "ada_norm_zero";
  bool norm_elementwise_affine = false;
  double norm_eps = 1e-5;

  friend bool operator==(const DiTConfig&, const DiTConfig&) = default;

  int64_t inner_dim() const { return num_attention_heads * attention_head_dim; }
};

// The first thing that makes the architecture impossible or that this program does not have, or
// nothing. Fields are named as in DiTConfig.
std::optional<ConfigProblem> FindProblem(const DiTConfig& config);

// Reads the text of a diffusers config.json of class DiTTransformer2DModel; as UNetConfigFromJson.
absl::StatusOr<DiTConfig> DiTConfigFromJson(std::string_view json, std::string_view file);

// The text of a config.json that DiTTransformer2DModel.from_pretrained loads. Requires a
// sample_size.
std::string DiTConfigToJson(const DiTConfig& config);

}  // namespace langevin::configs

#endif  // LANGEVIN_CONFIGS_DIT_CONFIG_H_
