// diffusers' config.json. The only file that knows the JSON library for model configs; its
// exceptions end here.
#include <algorithm>
#include <cstddef>
#include <limits>
#include <string>

#include "absl/algorithm/container.h"
#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "configs/config_message.h"
#include "configs/unet_config.h"
#include "core/base/status_macros.h"
#include "nlohmann/json.hpp"

namespace langevin::configs {
namespace {

using Json = nlohmann::json;

constexpr size_t kLargestText = 1 << 20;
constexpr int kDeepestNesting = 32;
constexpr std::string_view kClass = "UNet2DModel";
// The version whose UNet2DModel has exactly these fields.
constexpr std::string_view kDiffusersVersion = "0.42.1";

absl::Status Error(std::string_view file, std::string_view what) {
  return absl::InvalidArgumentError(absl::StrFormat("%s: %s", file, what));
}

std::string Show(const Json& value) {
  return Shown(value.dump(-1, ' ', false, Json::error_handler_t::replace));
}

// The field's value, or what is wrong with its type.
absl::Status Wrong(const Json& value, std::string_view expected) {
  return absl::InvalidArgumentError(absl::StrFormat("value %s: must be %s", Show(value), expected));
}

absl::Status Read(const Json& value, int64_t& out) {
  const bool fits = value.is_number_integer() &&
                    (!value.is_number_unsigned() ||
                     value.get<uint64_t>() <= uint64_t{std::numeric_limits<int64_t>::max()});
  if (!fits) return Wrong(value, "a whole number");
  out = value.get<int64_t>();
  return absl::OkStatus();
}

absl::Status Read(const Json& value, double& out) {
  if (!value.is_number()) return Wrong(value, "a number");
  out = value.get<double>();
  return absl::OkStatus();
}

absl::Status Read(const Json& value, bool& out) {
  if (!value.is_boolean()) return Wrong(value, "true or false");
  out = value.get<bool>();
  return absl::OkStatus();
}

absl::Status Read(const Json& value, std::string& out) {
  if (!value.is_string()) return Wrong(value, "a string");
  out = value.get<std::string>();
  return absl::OkStatus();
}

template <typename T>
absl::Status Read(const Json& value, std::optional<T>& out) {
  if (value.is_null()) {
    out.reset();
    return absl::OkStatus();
  }
  return Read(value, out.emplace());
}

template <typename T>
absl::Status Read(const Json& value, std::vector<T>& out) {
  if (!value.is_array()) return Wrong(value, "a list");
  out.clear();
  for (const Json& element : value) {
    T item;
    LANGEVIN_RETURN_IF_ERROR(Read(element, item));
    out.push_back(std::move(item));
  }
  return absl::OkStatus();
}

template <typename T>
Json Write(const T& value) {
  return value;
}

template <typename T>
Json Write(const std::optional<T>& value) {
  return value.has_value() ? Json(*value) : Json(nullptr);
}

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

absl::Status ReadSampleSize(const Json& value, std::vector<int64_t>& out) {
  out.clear();
  if (value.is_null()) return absl::OkStatus();
  if (value.is_array() && value.size() == 2) return Read(value, out);
  if (!value.is_number_integer()) {
    return Wrong(value, "null, a whole number, or a list of height and width");
  }
  return Read(value, out.emplace_back());
}

// How deep lists and objects nest, without parsing: deep nesting is refused before the parser sees
// it.
bool NestsTooDeep(std::string_view json) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
      continue;
    }
    if (c == '"') in_string = true;
    if (c == '[' || c == '{') ++depth;
    if (c == ']' || c == '}') --depth;
    if (depth > kDeepestNesting) return true;
  }
  return false;
}

absl::StatusOr<Json> ParseObject(std::string_view json, std::string_view file) {
  if (json.size() > kLargestText) {
    return Error(file, absl::StrFormat("is %d bytes long; a config.json has at most %d",
                                       json.size(), kLargestText));
  }
  if (NestsTooDeep(json)) {
    return Error(file,
                 absl::StrFormat("nests lists and objects more than %d deep", kDeepestNesting));
  }
  Json object;
  try {
    object = Json::parse(json);
  } catch (const Json::parse_error& error) {
    const std::string_view before = json.substr(0, error.byte);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s:%d: is not JSON: %s", file, line,
        before.size() >= json.size() ? "it ends too early" : "there is a syntax error"));
  } catch (const Json::exception& error) {  // Numbers that no double holds.
    return Error(file, absl::StrFormat("is not usable JSON: %s", error.what()));
  }
  if (!object.is_object()) return Error(file, "must hold a JSON object, as diffusers writes it");
  return object;
}

}  // namespace

absl::StatusOr<UNetConfig> UNetConfigFromJson(std::string_view json, std::string_view file) {
  LANGEVIN_ASSIGN_OR_RETURN(const Json object, ParseObject(json, file));
  if (const auto name = object.find("_class_name"); name != object.end() && *name != kClass) {
    return Error(file, absl::StrFormat("field _class_name: value %s: must be \"%s\"; other models "
                                       "cannot be used",
                                       Show(*name), kClass));
  }

  UNetConfig config = DiffusersDefaults();
  std::vector<std::string> known = {"sample_size"};
  absl::Status status;
  const auto note = [&](std::string_view name, const absl::Status& result) {
    if (status.ok() && !result.ok()) {
      status = Error(file, absl::StrFormat("field %s: %s", Shown(name), result.message()));
    }
  };
  VisitFields(config, [&](std::string_view name, auto& field) {
    known.emplace_back(name);
    const auto value = object.find(std::string(name));
    if (value == object.end()) return;
    // In these two diffusers takes null for the default.
    if (value->is_null() && (name == "downsample_type" || name == "upsample_type")) return;
    // Of no use to a fourier embedding.
    if (value->is_null() && config.time_embedding_type == "fourier" &&
        (name == "freq_shift" || name == "flip_sin_to_cos")) {
      return;
    }
    note(name, Read(*value, field));
  });
  if (const auto value = object.find("sample_size"); value != object.end()) {
    note("sample_size", ReadSampleSize(*value, config.sample_size));
  }
  for (const auto& [name, value] : object.items()) {
    if (absl::StartsWith(name, "_") || absl::c_linear_search(known, name)) continue;
    note(name, absl::InvalidArgumentError(
                   absl::StrFormat("value %s: UNet2DModel of diffusers %s has no such field%s",
                                   Show(value), kDiffusersVersion, DidYouMean(name, known))));
  }
  LANGEVIN_RETURN_IF_ERROR(status);

  if (const std::optional<UNetConfigProblem> problem = FindProblem(config)) {
    return Error(file, absl::StrFormat("field %s: %s", problem->field, problem->message));
  }
  return config;
}

std::string UNetConfigToJson(const UNetConfig& config) {
  Json object = {{"_class_name", kClass}, {"_diffusers_version", kDiffusersVersion}};
  VisitFields(config, [&](const char* name, const auto& field) { object[name] = Write(field); });
  if (config.sample_size.empty()) {
    object["sample_size"] = nullptr;
  } else if (config.sample_size.size() == 1) {
    object["sample_size"] = config.sample_size.front();
  } else {
    object["sample_size"] = config.sample_size;
  }
  return object.dump(2) + "\n";
}

}  // namespace langevin::configs
