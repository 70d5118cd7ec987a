// The subcommand `langevin inspect`.
#ifndef LANGEVIN_TOOLS_INSPECT_H_
#define LANGEVIN_TOOLS_INSPECT_H_

#include <functional>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "core/base/file_system.h"

namespace langevin::tools {

// What is done with a model folder, whose tensors have to be loaded: InspectModelFolder of
// tools/inspect_model.h, or leaving it to the program that has it.
using InspectModel =
    std::function<absl::Status(FileSystem&, const std::string& path, bool digest_only)>;

// Adds the subcommand. Parsing a command line that names it sets `action` to what is to be run.
void RegisterInspect(CLI::App& program, std::function<absl::Status()>& action,
                     InspectModel inspect_model);

// One line of what it says.
void PrintFact(const std::string& name, const std::string& value);

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_INSPECT_H_
