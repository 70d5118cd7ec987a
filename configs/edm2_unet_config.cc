#include "configs/edm2_unet_config.h"

#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "configs/config_checks.h"
#include "configs/json_fields.h"

namespace langevin::configs {
namespace {

using Problem = std::optional<ConfigProblem>;

// Bounds that no real model comes near; see unet_config.cc.
constexpr int64_t kMostChannels = 65536;
constexpr int64_t kMostLevels = 16;

// Calls visit(name, field) for every field but sample_size.
template <typename Config, typename Visitor>
void VisitFields(Config& config, const Visitor& visit) {
  visit("in_channels", config.in_channels);
  visit("model_channels", config.model_channels);
  visit("channel_mult", config.channel_mult);
  visit("num_blocks", config.num_blocks);
  visit("attention_levels", config.attention_levels);
  visit("channels_per_head", config.channels_per_head);
  visit("num_classes", config.num_classes);
  visit("dropout", config.dropout);
  visit("label_balance", config.label_balance);
  visit("concat_balance", config.concat_balance);
  visit("res_balance", config.res_balance);
  visit("attn_balance", config.attn_balance);
  visit("clip_act", config.clip_act);
  visit("time_scale", config.time_scale);
}

Problem Balance(std::string field, double value) {
  return Require(value >= 0 && value <= 1, std::move(field), value, "from 0 to 1");
}

Problem AboveZero(std::string field, double value) {
  return Require(std::isfinite(value) && value > 0, std::move(field), value,
                 "a finite number above 0");
}

Problem FindProblemInLevels(const Edm2UNetConfig& config) {
  const auto levels = static_cast<int64_t>(config.channel_mult.size());
  if (levels < 1 || levels > kMostLevels) {
    return ConfigProblem{
        "channel_mult", absl::StrFormat("has %d numbers: must have one for each resolution, from 1 "
                                        "to %d",
                                        levels, kMostLevels)};
  }
  const auto fits_heads = [&](std::string field, int64_t value, int64_t channels) -> Problem {
    if (channels % config.channels_per_head == 0) return std::nullopt;
    return ConfigProblem{
        std::move(field),
        absl::StrFormat("value %d: there is attention over %d channels there, which "
                        "channels_per_head, which is %d, must divide",
                        value, channels, config.channels_per_head)};
  };
  for (const int64_t multiple : config.channel_mult) {
    Problem problem = InRange("channel_mult", multiple, 1, 1024);
    if (!problem) {
      problem = InRange("model_channels", config.model_channels, 1, kMostChannels / multiple);
    }
    if (problem.has_value()) return problem;
  }
  for (const int64_t level : config.attention_levels) {
    if (Problem problem = InRange("attention_levels", level, 0, levels - 1)) return problem;
    if (Problem problem = fits_heads("attention_levels", level,
                                     config.model_channels * config.channel_mult[level])) {
      return problem;
    }
  }
  // The middle always attends.
  if (Problem problem = fits_heads("channel_mult", config.channel_mult.back(),
                                   config.model_channels * config.channel_mult.back())) {
    return problem;
  }
  if (config.sample_size.size() > 2) {
    return ConfigProblem{"sample_size",
                         absl::StrFormat("has %d numbers: must be one, or height and width",
                                         config.sample_size.size())};
  }
  const int64_t step = int64_t{1} << (levels - 1);
  for (const int64_t side : config.sample_size) {
    if (Problem problem = InRange("sample_size", side, 1, 65536)) return problem;
    if (side % step != 0) {
      return ConfigProblem{
          "sample_size",
          absl::StrFormat("value %d: must be a multiple of %d, because %d resolutions halve it %d "
                          "times",
                          side, step, levels, levels - 1)};
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<ConfigProblem> FindProblem(const Edm2UNetConfig& config) {
  for (Problem problem :
       {InRange("in_channels", config.in_channels, 1, kMostChannels),
        InRange("model_channels", config.model_channels, 1, kMostChannels),
        InRange("num_blocks", config.num_blocks, 1, 64),
        InRange("channels_per_head", config.channels_per_head, 1, kMostChannels),
        InRange("num_classes", config.num_classes.value_or(1), 1, 10'000'000),
        Require(config.dropout >= 0 && config.dropout < 1, "dropout", config.dropout,
                "at least 0 and below 1"),
        Balance("label_balance", config.label_balance),
        Balance("concat_balance", config.concat_balance),
        Balance("res_balance", config.res_balance), Balance("attn_balance", config.attn_balance),
        AboveZero("clip_act", config.clip_act), AboveZero("time_scale", config.time_scale)}) {
    if (problem.has_value()) return problem;
  }
  return FindProblemInLevels(config);
}

absl::StatusOr<Edm2UNetConfig> Edm2UNetConfigFromJson(std::string_view json,
                                                      std::string_view file) {
  LANGEVIN_ASSIGN_OR_RETURN(const Json object, ParseJsonObject(json, file));
  LANGEVIN_RETURN_IF_ERROR(CheckClassName(object, file, kEdm2UNetClass, /*may_be_missing=*/false));
  JsonFields fields(object, file, kEdm2UNetClass);
  Edm2UNetConfig config;
  VisitFields(config, [&](const char* name, auto& field) { fields.Read(name, field); });
  if (const Json* size = fields.Find("sample_size"); size != nullptr) {
    fields.Note("sample_size", ReadSampleSize(*size, config.sample_size));
  }
  LANGEVIN_RETURN_IF_ERROR(fields.Finish());
  if (const Problem problem = FindProblem(config)) {
    return JsonError(file, absl::StrFormat("field %s: %s", problem->field, problem->message));
  }
  return config;
}

std::string Edm2UNetConfigToJson(const Edm2UNetConfig& config) {
  Json object = {{"_class_name", kEdm2UNetClass}};
  VisitFields(config,
              [&](const char* name, const auto& field) { object[name] = WriteJson(field); });
  object["sample_size"] = WriteSampleSize(config.sample_size);
  return object.dump(2) + "\n";
}

}  // namespace langevin::configs
