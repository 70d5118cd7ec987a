// Loading and printing of prepare configs: text, then overrides, then checks.
#ifndef LANGEVIN_CONFIGS_PREPARE_CONFIG_TEXT_H_
#define LANGEVIN_CONFIGS_PREPARE_CONFIG_TEXT_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/prepare_config.h"
#include "core/base/file_system.h"

namespace langevin::configs {

// Protobuf text format, then "a.b=value" overrides in their order. InvalidArgument names file (or
// override), line, field, value and what is allowed: an unknown field, a value out of range, a
// contradiction. `file` names the text in messages.
absl::StatusOr<PrepareConfig> ParsePrepareConfig(std::string_view text, std::string_view file,
                                                 const std::vector<std::string>& overrides);

// The same from the file at `path`; an empty path stands for an empty config.
absl::StatusOr<PrepareConfig> LoadPrepareConfig(FileSystem& file_system, const std::string& path,
                                                const std::vector<std::string>& overrides);

// All fields, those with their default included. Parses to an equal config.
std::string ToText(const PrepareConfig& config);

}  // namespace langevin::configs

#endif  // LANGEVIN_CONFIGS_PREPARE_CONFIG_TEXT_H_
