#include "configs/model_config.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "configs/config_checks.h"
#include "configs/json_fields.h"

namespace langevin::configs {
namespace {

template <typename... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};
// Clang 14 does not find it by itself.
template <typename... Visitors>
Overloaded(Visitors...) -> Overloaded<Visitors...>;

// The dropout of diffusers' LabelEmbedding, whose table always has the null label.
constexpr double kDiTLabelDropout = 0.1;

std::vector<int64_t> ListOf(const std::optional<SampleSize>& size) {
  if (!size.has_value()) return {};
  if (size->height == size->width) return {size->height};
  return {size->height, size->width};
}

std::optional<SampleSize> SizeOf(const std::vector<int64_t>& list) {
  if (list.empty()) return std::nullopt;
  return SampleSize{list.front(), list.back()};
}

}  // namespace

std::string ModelConfig::family() const {
  return std::visit(
      Overloaded{[](const UNetConfig&) { return "unet"; }, [](const DiTConfig&) { return "dit"; },
                 [](const Edm2UNetConfig&) { return "edm2_unet"; }},
      architecture);
}

std::string ModelConfig::class_name() const {
  return std::visit(
      Overloaded{[](const UNetConfig&) { return std::string("UNet2DModel"); },
                 [](const DiTConfig&) { return std::string("DiTTransformer2DModel"); },
                 [](const Edm2UNetConfig&) { return std::string(kEdm2UNetClass); }},
      architecture);
}

int64_t ModelConfig::in_channels() const {
  return std::visit([](const auto& config) { return config.in_channels; }, architecture);
}

int64_t ModelConfig::out_channels() const {
  return std::visit(
      Overloaded{[](const UNetConfig& unet) { return unet.out_channels; },
                 [](const DiTConfig& dit) { return dit.out_channels.value_or(dit.in_channels); },
                 [](const Edm2UNetConfig& unet) { return unet.in_channels; }},
      architecture);
}

std::optional<SampleSize> ModelConfig::sample_size() const {
  return std::visit(Overloaded{[](const DiTConfig& dit) -> std::optional<SampleSize> {
                                 if (!dit.sample_size.has_value()) return std::nullopt;
                                 return SampleSize{*dit.sample_size, *dit.sample_size};
                               },
                               [](const auto& unet) { return SizeOf(unet.sample_size); }},
                    architecture);
}

void ModelConfig::set_sample_size(std::optional<SampleSize> size) {
  std::visit(Overloaded{[&](DiTConfig& dit) {
                          dit.sample_size.reset();
                          if (size.has_value()) dit.sample_size = size->height;
                        },
                        [&](auto& unet) { unet.sample_size = ListOf(size); }},
             architecture);
}

SampleSize ModelConfig::some_sample_size() const {
  if (const std::optional<SampleSize> size = sample_size()) return *size;
  const int64_t side = std::visit(
      Overloaded{
          [](const UNetConfig& unet) { return int64_t{8} << (unet.block_out_channels.size() - 1); },
          [](const DiTConfig& dit) { return 4 * dit.patch_size; },
          [](const Edm2UNetConfig& unet) { return int64_t{8} << (unet.channel_mult.size() - 1); }},
      architecture);
  return {side, side};
}

bool ModelConfig::is_conditional() const {
  return std::visit(
      Overloaded{[](const UNetConfig& unet) { return unet.is_conditional(); },
                 [](const DiTConfig&) { return true; },
                 [](const Edm2UNetConfig& unet) { return unet.num_classes.has_value(); }},
      architecture);
}

std::optional<int64_t> ModelConfig::num_classes() const {
  return std::visit(
      Overloaded{[](const UNetConfig& unet) { return unet.num_class_embeds; },
                 [](const DiTConfig& dit) { return std::optional(dit.num_embeds_ada_norm); },
                 [](const Edm2UNetConfig& unet) { return unet.num_classes; }},
      architecture);
}

bool ModelConfig::has_class_table() const {
  const UNetConfig* const unet = std::get_if<UNetConfig>(&architecture);
  return num_classes().has_value() && (unet == nullptr || !unet->class_embed_type.has_value());
}

std::optional<int64_t> ModelConfig::null_class() const {
  return label_dropout > 0 ? num_classes() : std::nullopt;
}

std::optional<int64_t> ModelConfig::condition_size() const {
  const UNetConfig* const unet = std::get_if<UNetConfig>(&architecture);
  if (unet == nullptr || unet->class_embed_type != "identity") return std::nullopt;
  return unet->time_embed_dim();
}

std::optional<ConfigProblem> FindProblem(const ModelConfig& config) {
  std::optional<ConfigProblem> problem = std::visit(
      [](const auto& architecture) { return FindProblem(architecture); }, config.architecture);
  if (problem.has_value()) {
    problem->field = absl::StrCat(config.family(), ".", problem->field);
    return problem;
  }
  problem = Require(config.label_dropout >= 0 && config.label_dropout < 1, "label_dropout",
                    config.label_dropout, "at least 0 and below 1");
  if (problem.has_value()) return problem;
  const UNetConfig* const unet = std::get_if<UNetConfig>(&config.architecture);
  if (config.label_dropout > 0 && !config.has_class_table()) {
    return ConfigProblem{
        "label_dropout",
        absl::StrFormat("value %g: must be 0 for a model without a table of classes (%s)",
                        config.label_dropout,
                        config.family() == "unet" ? "num_class_embeds, and no class_embed_type"
                                                  : "num_classes")};
  }
  problem = InRange("augment_dim", config.augment_dim, 0, 65536);
  if (!problem.has_value() && config.augment_dim > 0 && unet == nullptr) {
    return ConfigProblem{"augment_dim",
                         absl::StrFormat("value %d: must be 0 for %s; unet alone has it",
                                         config.augment_dim, config.family())};
  }
  if (config.self_conditioning && config.family() == "edm2_unet") {
    return ConfigProblem{"self_conditioning",
                         "value true: must be false for edm2_unet, which has as many channels at "
                         "its output as at its input; use unet or dit"};
  }
  if (config.self_conditioning && config.in_channels() % 2 != 0) {
    return ConfigProblem{
        "self_conditioning",
        absl::StrFormat("value true: needs %s.in_channels twice those of the images, for the "
                        "estimate beside them, and %d is odd",
                        config.family(), config.in_channels())};
  }
  return problem;
}

absl::StatusOr<ModelConfig> ModelConfigFromJson(std::string_view json, std::string_view file,
                                                std::optional<double> label_dropout,
                                                bool self_conditioning) {
  LANGEVIN_ASSIGN_OR_RETURN(const Json object, ParseJsonObject(json, file));
  const auto found = object.find("_class_name");
  const std::string name =
      found != object.end() && found->is_string() ? found->get<std::string>() : "";
  ModelConfig config;
  config.label_dropout = label_dropout.value_or(0);
  config.self_conditioning = self_conditioning;
  if (name == "DiTTransformer2DModel") {
    LANGEVIN_ASSIGN_OR_RETURN(config.architecture, DiTConfigFromJson(json, file));
    config.label_dropout = label_dropout.value_or(kDiTLabelDropout);
  } else if (name == kEdm2UNetClass) {
    LANGEVIN_ASSIGN_OR_RETURN(config.architecture, Edm2UNetConfigFromJson(json, file));
  } else {
    LANGEVIN_ASSIGN_OR_RETURN(UNetConfig unet, UNetConfigFromJson(json, file));
    if (config.label_dropout > 0 && unet.num_class_embeds.has_value()) --*unet.num_class_embeds;
    config.architecture = std::move(unet);
  }
  if (const std::optional<ConfigProblem> problem = FindProblem(config)) {
    return JsonError(file,
                     absl::StrFormat("trained with label dropout %g%s, which langevin.json says: "
                                     "%s: %s",
                                     config.label_dropout,
                                     config.self_conditioning ? " and self-conditioning" : "",
                                     problem->field, problem->message));
  }
  return config;
}

std::string ModelConfigToJson(const ModelConfig& config) {
  return std::visit(
      Overloaded{[&](UNetConfig unet) {
                   if (config.null_class().has_value()) ++*unet.num_class_embeds;
                   return UNetConfigToJson(unet);
                 },
                 [](const DiTConfig& dit) { return DiTConfigToJson(dit); },
                 [](const Edm2UNetConfig& unet) { return Edm2UNetConfigToJson(unet); }},
      config.architecture);
}

}  // namespace langevin::configs
