#include "configs/config_source.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "configs/config_override.h"
#include "configs/config_text_parser.h"
#include "core/base/status_macros.h"

namespace langevin::configs {
namespace {

constexpr uint64_t kLargestFile = 1 << 20;

}  // namespace

absl::StatusOr<std::string> ReadConfigFile(FileSystem& file_system, const std::string& path) {
  absl::StatusOr<std::string> text = file_system.ReadFile(path, kLargestFile);
  if (absl::IsNotFound(text.status())) {
    return absl::InvalidArgumentError(absl::StrCat(
        path, ": there is no such file; give --config a file in protobuf text format"));
  }
  return text;
}

absl::Status ConfigSource::Read(std::string_view text, std::string_view file,
                                const std::vector<std::string>& overrides,
                                google::protobuf::Message& config) {
  file_ = std::string(file);
  root_ = config.GetDescriptor();
  LANGEVIN_RETURN_IF_ERROR(ParseConfigText(text, file, config, locations_));
  for (const std::string& override_text : overrides) {
    LANGEVIN_ASSIGN_OR_RETURN(const std::string path, ApplyOverride(override_text, config));
    overrides_[path] = override_text;
  }
  return absl::OkStatus();
}

absl::Status ConfigSource::Error(const ConfigProblem& problem) const {
  if (const auto set = overrides_.find(problem.field); set != overrides_.end()) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: %s", OverrideOrigin(set->second), problem.message));
  }
  const int line = LineOf(*root_, problem.field, locations_);
  return absl::InvalidArgumentError(absl::StrFormat("%s%s: field %s: %s", file_,
                                                    line > 0 ? absl::StrCat(":", line) : "",
                                                    problem.field, problem.message));
}

}  // namespace langevin::configs
