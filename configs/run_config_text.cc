// Loading of run configs: text, then overrides, then checks.
#include <string>
#include <utility>

#include "absl/strings/str_format.h"
#include "configs/config_source.h"
#include "configs/run_config.h"
#include "configs/run_config_convert.h"
#include "configs/run_config_validation.h"
#include "core/base/status_macros.h"
#include "google/protobuf/text_format.h"

namespace langevin::configs {
namespace {

// What no default could stand for.
std::optional<ConfigProblem> FindMissing(const proto::RunConfig& config) {
  const auto missing = [](std::string field, std::string_view example) {
    return ConfigProblem{std::move(field),
                         absl::StrFormat("is missing: it has no default; set it, for example to "
                                         "%s",
                                         example)};
  };
  if (!config.train().has_total_images()) return missing("train.total_images", "1000000");
  if (!config.train().has_global_batch()) return missing("train.global_batch", "64");
  if (!config.train().has_microbatch()) return missing("train.microbatch", "32");
  const proto::ModelConfig& model = config.model();
  if (model.architecture_case() != proto::ModelConfig::ARCHITECTURE_NOT_SET) return std::nullopt;
  for (const auto& [given, field] :
       {std::pair(model.has_label_dropout(), "model.label_dropout"),
        std::pair(model.has_augment_dim(), "model.augment_dim"),
        std::pair(model.has_self_conditioning(), "model.self_conditioning")}) {
    if (given) {
      return ConfigProblem{field, "stands alone: must be beside unet, dit or edm2_unet in model"};
    }
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<RunConfig> ParseRunConfig(std::string_view text, std::string_view file,
                                         const std::vector<std::string>& overrides) {
  ConfigSource source;
  proto::RunConfig parsed;
  LANGEVIN_RETURN_IF_ERROR(source.Read(text, file, overrides, parsed));
  if (const auto missing = FindMissing(parsed)) return source.Error(*missing);
  RunConfig config = FromProto(parsed);
  if (const auto problem = FindProblem(config)) return source.Error(*problem);
  RoundUpToGlobalBatch(config);
  return config;
}

absl::StatusOr<RunConfig> LoadRunConfig(FileSystem& file_system, const std::string& path,
                                        const std::vector<std::string>& overrides) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::string text, ReadConfigFile(file_system, path));
  return ParseRunConfig(text, path, overrides);
}

std::string ToText(const RunConfig& config) {
  std::string text;
  // Fails only for messages without reflection.
  google::protobuf::TextFormat::PrintToString(ToProto(config), &text);
  return text;
}

}  // namespace langevin::configs
