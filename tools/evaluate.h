// The subcommand `langevin evaluate`.
#ifndef LANGEVIN_TOOLS_EVALUATE_H_
#define LANGEVIN_TOOLS_EVALUATE_H_

#include <functional>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"

namespace langevin::tools {

// Adds the subcommand. Parsing a command line that names it sets `action` to what is to be run.
void RegisterEvaluate(CLI::App& program, std::function<absl::Status()>& action);

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_EVALUATE_H_
