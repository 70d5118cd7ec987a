// `langevin bench collectives`: what exchanges between these ranks take.
#ifndef LANGEVIN_TOOLS_BENCH_COLLECTIVES_H_
#define LANGEVIN_TOOLS_BENCH_COLLECTIVES_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "launch/mpi_runtime.h"

namespace langevin::tools {

struct CollectivesBenchOptions {
  std::string work;  // Not used: there are no files.
  int64_t min_bytes = 4096;
  int64_t max_bytes = 64 << 20;
  int repetitions = 11;
};

// Prints a line for each kind and size (median over the repetitions, of the slowest rank), and for
// each kind the latency and bandwidth that fit them, which `train --dry_run --collectives` reads.
// "ordered" is a whole reduction of reduction ORDERED. All ranks together; at least two.
absl::Status BenchCollectives(const CollectivesBenchOptions& options, launch::MpiRuntime& runtime);

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_BENCH_COLLECTIVES_H_
