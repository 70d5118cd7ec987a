// What `langevin preflight` has to know of a config.
#ifndef LANGEVIN_TOOLS_RUN_NEEDS_H_
#define LANGEVIN_TOOLS_RUN_NEEDS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "launch/preflight.h"

namespace langevin::tools {

// Reads `config` (a file, or a preset's name) as `train` does. Errors are those of LoadRunConfig.
absl::StatusOr<launch::RunNeeds> ReadRunNeeds(const std::string& config,
                                              const std::vector<std::string>& overrides);

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_RUN_NEEDS_H_
