// From a command line to an exit code, for both files of the program (launch/program_files.h).
#ifndef LANGEVIN_LAUNCH_COMMAND_LINE_H_
#define LANGEVIN_LAUNCH_COMMAND_LINE_H_

#include <functional>

#include "absl/status/status.h"

namespace CLI {
class App;
}  // namespace CLI

namespace langevin::launch {

using Action = std::function<absl::Status()>;

// Reads the command line, runs one subcommand, turns its status into the one line that the user
// sees, and ends the process with its exit code. `add_subcommands` adds those that there are;
// parsing one sets the action. `run` runs the action and catches its exceptions.
[[noreturn]] void RunCommandLine(int argc, char** argv,
                                 const std::function<void(CLI::App&, Action&)>& add_subcommands,
                                 const std::function<absl::Status(const Action&)>& run);

}  // namespace langevin::launch

#endif  // LANGEVIN_LAUNCH_COMMAND_LINE_H_
