// diffusers' config.json of a UNet2DModel.
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "configs/json_fields.h"
#include "configs/unet_config.h"
#include "core/base/status_macros.h"

namespace langevin::configs {
namespace {

constexpr std::string_view kClass = "UNet2DModel";

// Calls visit(name, field) for every field but sample_size, which has three forms.
template <typename Config, typename Visitor>
void VisitFields(Config& config, const Visitor& visit) {
  visit("in_channels", config.in_channels);
  visit("out_channels", config.out_channels);
  visit("center_input_sample", config.center_input_sample);
  visit("time_embedding_type", config.time_embedding_type);
  visit("time_embedding_dim", config.time_embedding_dim);
  visit("freq_shift", config.freq_shift);
  visit("flip_sin_to_cos", config.flip_sin_to_cos);
  visit("down_block_types", config.down_block_types);
  visit("mid_block_type", config.mid_block_type);
  visit("up_block_types", config.up_block_types);
  visit("block_out_channels", config.block_out_channels);
  visit("layers_per_block", config.layers_per_block);
  visit("mid_block_scale_factor", config.mid_block_scale_factor);
  visit("downsample_padding", config.downsample_padding);
  visit("downsample_type", config.downsample_type);
  visit("upsample_type", config.upsample_type);
  visit("dropout", config.dropout);
  visit("act_fn", config.act_fn);
  visit("attention_head_dim", config.attention_head_dim);
  visit("norm_num_groups", config.norm_num_groups);
  visit("attn_norm_num_groups", config.attn_norm_num_groups);
  visit("norm_eps", config.norm_eps);
  visit("resnet_time_scale_shift", config.resnet_time_scale_shift);
  visit("add_attention", config.add_attention);
  visit("class_embed_type", config.class_embed_type);
  visit("num_class_embeds", config.num_class_embeds);
  visit("num_train_timesteps", config.num_train_timesteps);
}

// What UNet2DModel.__init__ takes where config.json says nothing.
UNetConfig DiffusersDefaults() {
  UNetConfig config;
  config.down_block_types = {"DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D",
                             "AttnDownBlock2D"};
  config.up_block_types = {"AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D"};
  config.block_out_channels = {224, 448, 672, 896};
  config.attention_head_dim = 8;
  return config;
}

}  // namespace

absl::StatusOr<UNetConfig> UNetConfigFromJson(std::string_view json, std::string_view file) {
  LANGEVIN_ASSIGN_OR_RETURN(const Json object, ParseJsonObject(json, file));
  LANGEVIN_RETURN_IF_ERROR(CheckClassName(object, file, kClass, /*may_be_missing=*/true));
  const std::string owner = absl::StrFormat("%s of diffusers %s", kClass, kDiffusersVersion);
  JsonFields fields(object, file, owner);
  UNetConfig config = DiffusersDefaults();
  VisitFields(config, [&](std::string_view name, auto& field) {
    const Json* const value = fields.Find(name);
    if (value == nullptr) return;
    // In these two diffusers takes null for the default.
    if (value->is_null() && (name == "downsample_type" || name == "upsample_type")) return;
    // Of no use to a fourier embedding.
    if (value->is_null() && config.time_embedding_type == "fourier" &&
        (name == "freq_shift" || name == "flip_sin_to_cos")) {
      return;
    }
    fields.Note(name, ReadJson(*value, field));
  });
  if (const Json* const value = fields.Find("sample_size"); value != nullptr) {
    fields.Note("sample_size", ReadSampleSize(*value, config.sample_size));
  }
  LANGEVIN_RETURN_IF_ERROR(fields.Finish());
  if (const std::optional<ConfigProblem> problem = FindProblem(config)) {
    return JsonError(file, absl::StrFormat("field %s: %s", problem->field, problem->message));
  }
  return config;
}

std::string UNetConfigToJson(const UNetConfig& config) {
  Json object = {{"_class_name", kClass}, {"_diffusers_version", kDiffusersVersion}};
  VisitFields(config,
              [&](const char* name, const auto& field) { object[name] = WriteJson(field); });
  object["sample_size"] = WriteSampleSize(config.sample_size);
  return object.dump(2) + "\n";
}

}  // namespace langevin::configs
