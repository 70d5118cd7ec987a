// `langevin bench loader`: how fast images become batches.
#ifndef LANGEVIN_TOOLS_BENCH_LOADER_H_
#define LANGEVIN_TOOLS_BENCH_LOADER_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "launch/mpi_runtime.h"

namespace langevin::tools {

struct LoaderBenchOptions {
  std::string work;
  int64_t side = 32;
  int64_t count = 50000;
  int64_t batch = 64;
  int threads = 1;
  int epochs = 3;
  std::string layout = "plain";  // Or "compressed".
  std::string order = "sample";  // Or "block".
  std::string images;            // File of raw images; empty: made here.
};

// Prints one line with the keys of peer_loader.py. The work is the peer's: images of side x side x
// 3 bytes in the page cache, each read once an epoch in random order, its checksum compared,
// mirrored or not, as floats in [-1, 1] with channels first, in batches. Also what share that is of
// the memory's bandwidth, measured by copying with as many threads.
absl::Status BenchLoader(const LoaderBenchOptions& options, launch::MpiRuntime& runtime);

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_BENCH_LOADER_H_
