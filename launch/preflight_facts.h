// What one rank finds out about the place where it runs, for preflight.
#ifndef LANGEVIN_LAUNCH_PREFLIGHT_FACTS_H_
#define LANGEVIN_LAUNCH_PREFLIGHT_FACTS_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "core/base/file_system.h"

namespace langevin::launch {

struct RankFacts {
  std::string host;
  std::string program;               // Digest of the program's file.
  int cores = 0;                     // This rank may run on.
  int threads = 0;                   // It would compute with.
  int local_ranks = 0;               // On its node, itself included.
  int gpus = 0;                      // Of the node.
  uint64_t memory_bytes = 0;         // Available now.
  uint64_t shared_memory_bytes = 0;  // Free in /dev/shm.
  double clock_offset_s = 0;         // Its clock minus rank 0's.
  std::string data;        // Digest of the data set's manifest; empty: not asked for or not there.
  std::string data_error;  // Why it cannot be read.
  uint64_t output_free_bytes = 0;
  std::string output_error;  // Why nothing can be written there.
};

// One line of text and back, for the way between ranks. DataLoss if `text` is no such line.
std::string ToText(const RankFacts& facts);
absl::StatusOr<RankFacts> RankFactsFromText(const std::string& text);

// Fills in what a process can see by itself: all but threads, local_ranks and clock_offset_s. Empty
// paths are not looked at. Creates nothing: a folder `output` that is not there yet is judged by
// the nearest one above it.
RankFacts LookAround(FileSystem& file_system, const std::string& data, const std::string& output);

}  // namespace langevin::launch

#endif  // LANGEVIN_LAUNCH_PREFLIGHT_FACTS_H_
