// Loading of run configs: text, then overrides, then checks.
#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "configs/config_override.h"
#include "configs/config_text_parser.h"
#include "configs/run_config.h"
#include "configs/run_config_convert.h"
#include "configs/run_config_validation.h"
#include "core/base/status_macros.h"

namespace langevin::configs {
namespace {

using google::protobuf::TextFormat;

constexpr uint64_t kLargestFile = 1 << 20;

// Where the values came from, for messages about them.
struct Origins {
  std::string file;
  TextFormat::ParseInfoTree locations;
  std::map<std::string, std::string> overrides;  // From a field's path to the text of its --set.
};

absl::Status Error(const Origins& origins, const RunConfigProblem& problem) {
  if (const auto set = origins.overrides.find(problem.field); set != origins.overrides.end()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: %s", OverrideOrigin(set->second), problem.message));
  }
  const int line = LineOf(problem.field, origins.locations);
  return absl::InvalidArgumentError(absl::StrFormat("%s%s: field %s: %s", origins.file,
                                                    line > 0 ? absl::StrCat(":", line) : "",
                                                    problem.field, problem.message));
}

// What no default could stand for.
std::optional<RunConfigProblem> FindMissing(const proto::RunConfig& config) {
  const auto missing = [](std::string field, std::string_view example) {
    return RunConfigProblem{std::move(field),
                            absl::StrFormat("is missing: it has no default; set it, for example to "
                                            "%s",
                                            example)};
  };
  if (!config.train().has_total_images()) return missing("train.total_images", "1000000");
  if (!config.train().has_global_batch()) return missing("train.global_batch", "64");
  if (!config.train().has_microbatch()) return missing("train.microbatch", "32");
  return std::nullopt;
}

}  // namespace

absl::StatusOr<RunConfig> ParseRunConfig(std::string_view text, std::string_view file,
                                         const std::vector<std::string>& overrides) {
  Origins origins;
  origins.file = std::string(file);
  proto::RunConfig parsed;
  LANGEVIN_RETURN_IF_ERROR(ParseConfigText(text, file, parsed, origins.locations));
  for (const std::string& text_of_override : overrides) {
    LANGEVIN_ASSIGN_OR_RETURN(const std::string path, ApplyOverride(text_of_override, parsed));
    origins.overrides[path] = text_of_override;
  }
  if (const auto missing = FindMissing(parsed)) return Error(origins, *missing);
  RunConfig config = FromProto(parsed);
  if (const auto problem = FindProblem(config)) return Error(origins, *problem);
  RoundUpToGlobalBatch(config);
  return config;
}

absl::StatusOr<RunConfig> LoadRunConfig(FileSystem& file_system, const std::string& path,
                                        const std::vector<std::string>& overrides) {
  const absl::StatusOr<std::string> text = file_system.ReadFile(path, kLargestFile);
  if (absl::IsNotFound(text.status())) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": there is no such file; give --config a file in protobuf text format"));
  }
  if (!text.ok()) return text.status();
  return ParseRunConfig(*text, path, overrides);
}

std::string ToText(const RunConfig& config) {
  std::string text;
  // Fails only for messages without reflection.
  TextFormat::PrintToString(ToProto(config), &text);
  return text;
}

}  // namespace langevin::configs
