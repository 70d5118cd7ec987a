#include "configs/prepare_config_text.h"

#include "configs/config_source.h"
#include "configs/prepare_config_convert.h"
#include "configs/prepare_config_validation.h"
#include "core/base/status_macros.h"
#include "google/protobuf/text_format.h"

namespace langevin::configs {

absl::StatusOr<PrepareConfig> ParsePrepareConfig(std::string_view text, std::string_view file,
                                                 const std::vector<std::string>& overrides) {
  ConfigSource source;
  proto::PrepareConfig parsed;
  LANGEVIN_RETURN_IF_ERROR(source.Read(text, file, overrides, parsed));
  PrepareConfig config = FromProto(parsed);
  if (const auto problem = FindProblem(config)) return source.Error(*problem);
  return config;
}

absl::StatusOr<PrepareConfig> LoadPrepareConfig(FileSystem& file_system, const std::string& path,
                                                const std::vector<std::string>& overrides) {
  if (path.empty()) return ParsePrepareConfig("", "the config", overrides);
  LANGEVIN_ASSIGN_OR_RETURN(const std::string text, ReadConfigFile(file_system, path));
  return ParsePrepareConfig(text, path, overrides);
}

std::string ToText(const PrepareConfig& config) {
  std::string text;
  // Fails only for messages without reflection.
  google::protobuf::TextFormat::PrintToString(ToProto(config), &text);
  return text;
}

}  // namespace langevin::configs
