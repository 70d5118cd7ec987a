// The program `langevin`: runs what needs no LibTorch, and leaves the rest to langevin-tensors.
#include <algorithm>
#include <string>
#include <string_view>

#include "CLI/CLI.hpp"
#include "core/base/catch_exceptions.h"
#include "core/base/exit_code.h"
#include "core/base/log.h"
#include "launch/command_line.h"
#include "launch/program_files.h"
#include "launch/tensor_subcommands.h"
#include "tools/inspect.h"
#include "tools/prepare.h"

namespace langevin::launch {
namespace {

// The program's own flags take no values, so the first word without a dash is the subcommand.
bool NamesTensorSubcommand(int argc, char** argv) {
  char** const end = argv + argc;
  char** const word =
      std::find_if(argv + std::min(argc, 1), end, [](const char* text) { return *text != '-'; });
  return word != end && std::any_of(kTensorSubcommands.begin(), kTensorSubcommands.end(),
                                    [&](const Subcommand& known) {
                                      return std::string_view(*word) == known.name;
                                    });
}

}  // namespace
}  // namespace langevin::launch

int main(int argc, char** argv) {
  namespace launch = langevin::launch;
  if (launch::NamesTensorSubcommand(argc, argv)) {
    const absl::Status status = launch::BecomeTensorProgram(argv);
    langevin::LogError("%s", std::string(status.message()));
    return static_cast<int>(langevin::ExitCodeFor(status));
  }
  launch::RunCommandLine(
      argc, argv,
      [argv](CLI::App& program, launch::Action& action) {
        langevin::tools::RegisterPrepare(program, action);
        langevin::tools::RegisterInspect(
            program, action, [argv](auto&&...) { return launch::BecomeTensorProgram(argv); });
        for (const launch::Subcommand& other : launch::kTensorSubcommands) {
          program.add_subcommand(other.name, other.description);  // For --help.
        }
      },
      [](const launch::Action& action) { return langevin::CatchExceptions("langevin", action); });
}
