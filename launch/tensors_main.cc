// The program langevin-tensors: the part of `langevin` that uses LibTorch, and that `langevin`
// starts (launch/program_files.h).
#include <sys/prctl.h>

#include "CLI/CLI.hpp"
#include "distributed/torch_errors.h"
#include "launch/command_line.h"
#include "launch/preflight.h"
#include "launch/program_files.h"
#include "tools/bench.h"
#include "tools/evaluate.h"
#include "tools/export.h"
#include "tools/inspect.h"
#include "tools/inspect_model.h"
#include "tools/run_needs.h"
#include "tools/sample.h"
#include "tools/train.h"

int main(int argc, char** argv) {
  namespace launch = langevin::launch;
  namespace tools = langevin::tools;
  prctl(PR_SET_NAME, launch::kProgramFile);  // As top and pkill are to know it.
  launch::RunCommandLine(
      argc, argv,
      [](CLI::App& program, launch::Action& action) {
        tools::RegisterTrain(program, action);
        tools::RegisterSample(program, action);
        tools::RegisterEvaluate(program, action);
        tools::RegisterExport(program, action);
        tools::RegisterInspect(program, action, tools::InspectModelFolder);
        launch::RegisterPreflight(program, action, tools::ReadRunNeeds);
        tools::RegisterBench(program, action);
      },
      [](const launch::Action& action) {
        return langevin::distributed::CatchTorchErrors("langevin", action);
      });
}
