// Where `--config` finds its file: a path, or the name of a preset that comes with the program.
#ifndef LANGEVIN_CONFIGS_PRESETS_H_
#define LANGEVIN_CONFIGS_PRESETS_H_

#include <string>

#include "absl/status/statusor.h"
#include "core/base/file_system.h"

namespace langevin::configs {

// The path of the file that `name_or_path` means. A path that exists is used as it is. A bare name
// (no slash) is looked up as PROGRAM_FOLDER/../configs/presets/NAME.textproto, where
// `program_folder` is that of the running program; NAME may have the ending already.
// InvalidArgument if there is neither, naming the presets that there are.
absl::StatusOr<std::string> ResolveConfigPath(FileSystem& file_system,
                                              const std::string& name_or_path,
                                              const std::string& program_folder);

}  // namespace langevin::configs

#endif  // LANGEVIN_CONFIGS_PRESETS_H_
