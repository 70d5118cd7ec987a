// `langevin train --dry_run --ranks N`: what a run would take on N ranks.
#ifndef LANGEVIN_TOOLS_SCALING_PLAN_H_
#define LANGEVIN_TOOLS_SCALING_PLAN_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "core/base/file_system.h"
#include "launch/mpi_runtime.h"
#include "tools/train_plan.h"

namespace langevin::tools {

// Flags that go with --ranks.
struct ScalingOptions {
  int ranks = 0;                        // 0: not asked for.
  std::string network;                  // One of KnownNetworks; empty: all of them.
  std::string collectives;              // What `bench collectives` has printed.
  std::optional<double> microbatch_ms;  // Not set: measured here.
  double optimizer_ms = 0;              // With microbatch_ms.
  bool json = false;
};

// Prints the plan of `plan`, which was made for options.ranks, on stdout. `output` is the run
// folder, whose disk is looked at; nothing is written. InvalidArgument: no such network, or a file
// that is not what it should be.
absl::Status PrintScalingPlan(FileSystem& file_system, const ScalingOptions& options,
                              const std::string& output, const Plan& plan,
                              launch::MpiRuntime& runtime);

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_SCALING_PLAN_H_
