#include "configs/dit_config.h"

#include <cmath>
#include <utility>

#include "absl/strings/str_format.h"
#include "configs/config_checks.h"
#include "configs/config_message.h"
#include "configs/json_fields.h"

namespace langevin::configs {
namespace {

using Problem = std::optional<ConfigProblem>;

constexpr std::string_view kClass = "DiTTransformer2DModel";
// Bounds that no real model comes near; see unet_config.cc.
constexpr int64_t kMostChannels = 65536;

Problem OneOf(std::string field, const std::string& value, std::string_view first,
              std::string_view second = "") {
  if (value == first || (!second.empty() && value == second)) return std::nullopt;
  return ConfigProblem{std::move(field),
                       absl::StrFormat("value \"%s\": must be %s%s%s", Shown(value), first,
                                       second.empty() ? "" : " or ", second)};
}

// Calls visit(name, field) for every field.
template <typename Config, typename Visitor>
void VisitFields(Config& config, const Visitor& visit) {
  visit("num_attention_heads", config.num_attention_heads);
  visit("attention_head_dim", config.attention_head_dim);
  visit("in_channels", config.in_channels);
  visit("out_channels", config.out_channels);
  visit("num_layers", config.num_layers);
  visit("dropout", config.dropout);
  visit("norm_num_groups", config.norm_num_groups);
  visit("attention_bias", config.attention_bias);
  visit("sample_size", config.sample_size);
  visit("patch_size", config.patch_size);
  visit("activation_fn", config.activation_fn);
  visit("num_embeds_ada_norm", config.num_embeds_ada_norm);
  visit("upcast_attention", config.upcast_attention);
  visit("norm_type", config.norm_type);
  visit("norm_elementwise_affine", config.norm_elementwise_affine);
  visit("norm_eps", config.norm_eps);
}

}  // namespace

std::optional<ConfigProblem> FindProblem(const DiTConfig& config) {
  for (Problem problem :
       {InRange("num_attention_heads", config.num_attention_heads, 1, kMostChannels),
        InRange("attention_head_dim", config.attention_head_dim, 1, kMostChannels),
        InRange("in_channels", config.in_channels, 1, kMostChannels),
        InRange("out_channels", config.out_channels.value_or(1), 1, 2 * kMostChannels),
        InRange("num_layers", config.num_layers, 1, 1024),
        Require(config.dropout >= 0 && config.dropout < 1, "dropout", config.dropout,
                "at least 0 and below 1"),
        InRange("sample_size", config.sample_size.value_or(1), 1, 65536),
        InRange("patch_size", config.patch_size, 1, 1024),
        OneOf("activation_fn", config.activation_fn, "gelu-approximate", "gelu"),
        InRange("num_embeds_ada_norm", config.num_embeds_ada_norm, 1, 10'000'000),
        OneOf("norm_type", config.norm_type, "ada_norm_zero"),
        Require(std::isfinite(config.norm_eps) && config.norm_eps > 0, "norm_eps", config.norm_eps,
                "a finite number above 0")}) {
    if (problem.has_value()) return problem;
  }
  if (config.inner_dim() > kMostChannels || config.inner_dim() % 4 != 0) {
    return ConfigProblem{
        "attention_head_dim",
        absl::StrFormat(
            "value %d: times num_attention_heads, which is %d, it must be a multiple of "
            "4 (sines and cosines of two coordinates) and at most %d",
            config.attention_head_dim, config.num_attention_heads, kMostChannels)};
  }
  if (config.sample_size.has_value() && *config.sample_size % config.patch_size != 0) {
    return ConfigProblem{"sample_size",
                         absl::StrFormat("value %d: must be a multiple of patch_size, which is %d",
                                         *config.sample_size, config.patch_size)};
  }
  const int64_t out_channels = config.out_channels.value_or(config.in_channels);
  // Which of them it is to be is up to what is learned (FindProblem of a RunConfig).
  if (out_channels != config.in_channels && out_channels != 2 * config.in_channels &&
      2 * out_channels != config.in_channels) {
    return ConfigProblem{
        "out_channels",
        absl::StrFormat(
            "value %d: must be in_channels, which is %d, or twice that: a prediction, or "
            "a prediction and the variance; or with model.self_conditioning half of it",
            out_channels, config.in_channels)};
  }
  return std::nullopt;
}

absl::StatusOr<DiTConfig> DiTConfigFromJson(std::string_view json, std::string_view file) {
  LANGEVIN_ASSIGN_OR_RETURN(const Json object, ParseJsonObject(json, file));
  LANGEVIN_RETURN_IF_ERROR(CheckClassName(object, file, kClass, /*may_be_missing=*/false));
  const std::string owner = absl::StrFormat("%s of diffusers %s", kClass, kDiffusersVersion);
  JsonFields fields(object, file, owner);
  DiTConfig config;
  config.sample_size = 32;
  VisitFields(config, [&](const char* name, auto& field) { fields.Read(name, field); });
  LANGEVIN_RETURN_IF_ERROR(fields.Finish());
  if (!config.sample_size.has_value()) {
    return JsonError(file, "field sample_size: is null: must be a whole number");
  }
  if (const Problem problem = FindProblem(config)) {
    return JsonError(file, absl::StrFormat("field %s: %s", problem->field, problem->message));
  }
  return config;
}

std::string DiTConfigToJson(const DiTConfig& config) {
  Json object = {{"_class_name", kClass}, {"_diffusers_version", kDiffusersVersion}};
  VisitFields(config,
              [&](const char* name, const auto& field) { object[name] = WriteJson(field); });
  return object.dump(2) + "\n";
}

}  // namespace langevin::configs
