// `--set a.b=value`: one field of a config replaced from the command line.
#ifndef LANGEVIN_CONFIGS_CONFIG_OVERRIDE_H_
#define LANGEVIN_CONFIGS_CONFIG_OVERRIDE_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/protobuf/message.h"

namespace langevin::configs {

// Applies "a.b=value" to `config` and returns the field's path. The old value goes: a list is
// replaced whole (`[x,y]`; one value is a list of one), and setting one member of a oneof clears
// the other. Strings need no quotes. Fields of model.unet and
// quality that may be null take `null`.
// InvalidArgument begins with `--set a.b=value: ` and says what is allowed.
absl::StatusOr<std::string> ApplyOverride(std::string_view override_text,
                                          google::protobuf::Message& config);

// How messages call an override: "--set a.b=value".
std::string OverrideOrigin(std::string_view override_text);

}  // namespace langevin::configs

#endif  // LANGEVIN_CONFIGS_CONFIG_OVERRIDE_H_
