// What one rank finds out about the place where it runs, for preflight.
#ifndef LANGEVIN_LAUNCH_PREFLIGHT_FACTS_H_
#define LANGEVIN_LAUNCH_PREFLIGHT_FACTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/file_system.h"

namespace langevin::launch {

struct RankFacts {
  std::string host;
  std::string program;  // Digest of the program's files.
  int cores = 0;        // This rank may run on.
  int threads = 0;      // It would compute with.
  int local_ranks = 0;  // On its node, itself included.
  int local_rank = 0;   // Among those.
  int gpus = 0;         // Of the node.
  // Those this rank may use, in CUDA's order, as CUDA_VISIBLE_DEVICES or the driver names them.
  std::vector<std::string> visible_gpus;
  bool with_cuda = false;               // The program was built to use them.
  uint64_t memlock_bytes = 0;           // May be locked in memory; UINT64_MAX: no limit.
  int rdma_devices = 0;                 // InfiniBand and the like, of the node.
  std::vector<std::string> interfaces;  // That are up: "eth0 10.0.0.1/24". No loopback.
  uint64_t memory_bytes = 0;            // Available now.
  uint64_t shared_memory_bytes = 0;     // Free in /dev/shm.
  double clock_offset_s = 0;            // Its clock minus rank 0's.
  std::string data;        // Digest of the data set's manifest; empty: not asked for or not there.
  std::string data_error;  // Why it cannot be read.
  std::string config;      // Digest of the config in force; empty: not asked for or unreadable.
  std::string config_error;  // Why it cannot be used.
  uint64_t weights = 0;      // Of the config's model; 0: not known.
  uint64_t output_free_bytes = 0;
  std::string output_error;      // Why nothing can be written there.
  bool output_is_shared = true;  // What rank 0 writes there is seen.
};

// One line of text and back, for the way between ranks. DataLoss if `text` is no such line.
std::string ToText(const RankFacts& facts);
absl::StatusOr<RankFacts> RankFactsFromText(const std::string& text);

// Fills in what a process can see by itself: all but threads, local_ranks, local_rank,
// clock_offset_s, the config's and output_is_shared. Empty
// paths are not looked at. Creates nothing: a folder `output` that is not there yet is judged by
// the nearest one above it.
RankFacts LookAround(FileSystem& file_system, const std::string& data, const std::string& output);

// The folder, `output` or the nearest one above it that there is.
std::string NearestFolder(FileSystem& file_system, const std::string& output);

}  // namespace langevin::launch

#endif  // LANGEVIN_LAUNCH_PREFLIGHT_FACTS_H_
