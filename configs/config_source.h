// A config's text and overrides, and where each of its values came from, for messages about them.
#ifndef LANGEVIN_CONFIGS_CONFIG_SOURCE_H_
#define LANGEVIN_CONFIGS_CONFIG_SOURCE_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "configs/config_problem.h"
#include "core/base/file_system.h"
#include "google/protobuf/message.h"
#include "google/protobuf/text_format.h"

namespace langevin::configs {

// The contents of `path`, which --config named. InvalidArgument if there is no such file.
absl::StatusOr<std::string> ReadConfigFile(FileSystem& file_system, const std::string& path);

// One thread at a time.
class ConfigSource {
 public:
  // Fills `config`, which must be empty, from text format and "a.b=value" overrides. `file` names
  // the text in messages. InvalidArgument: see config_text_parser.h and config_override.h.
  absl::Status Read(std::string_view text, std::string_view file,
                    const std::vector<std::string>& overrides, google::protobuf::Message& config);

  // The error for a problem with what was read: names the override or file and line it came from.
  absl::Status Error(const ConfigProblem& problem) const;

 private:
  std::string file_;
  const google::protobuf::Descriptor* root_ = nullptr;
  google::protobuf::TextFormat::ParseInfoTree locations_;
  std::map<std::string, std::string> overrides_;  // From a field's path to the text of its --set.
};

}  // namespace langevin::configs

#endif  // LANGEVIN_CONFIGS_CONFIG_SOURCE_H_
