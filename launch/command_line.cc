#include "launch/command_line.h"

#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "CLI/CLI.hpp"
#include "core/base/exit_code.h"
#include "core/base/log.h"
#include "core/base/version.h"
#include "distributed/agreement.h"

namespace langevin::launch {
namespace {

// Activations of tens of MiB come and go in every step. By default the C library gives such blocks
// back to the system each time, and a quarter of a CPU step goes into page faults. (A higher
// M_MMAP_THRESHOLD is not enough: it goes to 32 MiB, and attention's scores are larger.)
void KeepFreedMemory() {
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

int Run(int argc, char** argv, const std::function<void(CLI::App&, Action&)>& add_subcommands,
        const std::function<absl::Status(const Action&)>& run) {
  KeepFreedMemory();
  CLI::App program("Langevin trains diffusion models on many machines.", "langevin");
  program.set_version_flag("--version", std::string("langevin ") + kVersion);
  program.require_subcommand(1);
  program.footer(
      "Each subcommand has --help. Exit codes: 0 done, 2 usage, 3 bad config, 4 bad or "
      "lost data,\n5 communication failed, 6 out of memory or disk, 70 internal error, "
      "75 stopped early,\nrun again to go on.");
  Action action;
  add_subcommands(program, action);
  try {
    program.parse(argc, argv);
  } catch (const CLI::Success& wish) {
    return program.exit(wish);  // --help, --version.
  } catch (const CLI::ParseError& error) {
    program.exit(error);
    return static_cast<int>(ExitCode::kUsage);
  }
  const absl::Status status = run(action);
  if (!status.ok() && !distributed::IsReported(status)) {
    LogError("%s", std::string(status.message()));
  }
  return static_cast<int>(ExitCodeFor(status));
}

}  // namespace

void RunCommandLine(int argc, char** argv,
                    const std::function<void(CLI::App&, Action&)>& add_subcommands,
                    const std::function<absl::Status(const Action&)>& run) {
  const int exit_code = Run(argc, argv, add_subcommands, run);
  // All that is ours has ended in order. LibTorch would spend 0.15 s on taking its tables apart.
  std::fflush(nullptr);
  std::_Exit(exit_code);
}

}  // namespace langevin::launch
