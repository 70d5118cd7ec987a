// `langevin bench step` and `langevin bench startup`: the training step itself, timed.
//
// What runs is train::Trainer over images that are made up in memory, so that loader, reduction,
// agreement and watchdog are those of a real run. The peer's script (tests/bench/peer_train.py) has
// its images at hand and none of the rest.
#ifndef LANGEVIN_TOOLS_BENCH_STEP_H_
#define LANGEVIN_TOOLS_BENCH_STEP_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "launch/mpi_runtime.h"

namespace langevin::tools {

struct StepBenchOptions {
  std::string work;
  std::string unet;
  int64_t batch = 8;
  std::string precision = "fp32";
  std::string reduction = "ordered";
  int threads = 0;
  int64_t steps = 10;
  int64_t warmup = 3;
  bool step_ends = false;  // Also print when each step ended.
  std::vector<std::string> overrides;
};

// Prints one line with the keys of peer_train.py; median over the steps on rank 0. All ranks
// together. With step_ends also "step_ends_s": when each of the steps that are timed ended, seconds
// of CLOCK_MONOTONIC.
absl::Status BenchStep(const StepBenchOptions& options, launch::MpiRuntime& runtime);

// Prints one line: seconds from the process's start until the ranks are joined, the model is made,
// and the first step is done. All ranks together.
absl::Status BenchStartup(const StepBenchOptions& options, launch::MpiRuntime& runtime);

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_BENCH_STEP_H_
