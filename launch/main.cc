// The program `langevin`: reads the command line, runs one subcommand, and turns its status into
// the one line and the exit code that the user sees.
#include <malloc.h>

#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"
#include "core/base/exit_code.h"
#include "core/base/log.h"
#include "core/base/version.h"
#include "distributed/agreement.h"
#include "distributed/torch_errors.h"
#include "launch/preflight.h"
#include "launch/stop_signals.h"
#include "tools/bench.h"
#include "tools/evaluate.h"
#include "tools/export.h"
#include "tools/inspect.h"
#include "tools/prepare.h"
#include "tools/run_needs.h"
#include "tools/sample.h"
#include "tools/train.h"

namespace langevin {
namespace {

// Activations of tens of MiB come and go in every step. By default the C library gives such blocks
// back to the system each time, and a quarter of a CPU step goes into page faults. (A higher
// M_MMAP_THRESHOLD is not enough: it goes to 32 MiB, and attention's scores are larger.)
void KeepFreedMemory() {
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
}

int Main(int argc, char** argv) {
  KeepFreedMemory();
  CLI::App program("Langevin trains diffusion models on many machines.", "langevin");
  program.set_version_flag("--version", std::string("langevin ") + kVersion);
  program.require_subcommand(1);
  program.footer(
      "Each subcommand has --help. Exit codes: 0 done, 2 usage, 3 bad config, 4 bad or "
      "lost data,\n5 communication failed, 6 out of memory or disk, 70 internal error, "
      "75 stopped early,\nrun again to go on.");
  std::function<absl::Status()> action;
  tools::RegisterPrepare(program, action);
  tools::RegisterTrain(program, action);
  tools::RegisterSample(program, action);
  tools::RegisterEvaluate(program, action);
  tools::RegisterExport(program, action);
  tools::RegisterInspect(program, action);
  launch::RegisterPreflight(program, action, tools::ReadRunNeeds);
  tools::RegisterBench(program, action);
  try {
    program.parse(argc, argv);
  } catch (const CLI::Success& wish) {
    return program.exit(wish);  // --help, --version.
  } catch (const CLI::ParseError& error) {
    program.exit(error);
    return static_cast<int>(ExitCode::kUsage);
  }
  launch::InstallStopSignalHandlers();
  const absl::Status status = distributed::CatchTorchErrors("langevin", action);
  if (!status.ok() && !distributed::IsReported(status)) {
    LogError("%s", std::string(status.message()));
  }
  return static_cast<int>(ExitCodeFor(status));
}

}  // namespace
}  // namespace langevin

int main(int argc, char** argv) {
  const int exit_code = langevin::Main(argc, argv);
  // All that is ours has ended in order. LibTorch would spend 0.15 s on taking its tables apart.
  std::fflush(nullptr);
  std::_Exit(exit_code);
}
