// The border that foreign files are decoded behind: what a hostile file does to a decoder it does
// to a process that owns nothing.
//
// The child has limits on memory, on CPU time for each piece of work, on open files and on the
// files it may write (none), can make few system calls (confinement.h), makes no core dumps, and
// dies with its parent. What it may still do is read files that the user may read.
// sandboxed_worker.h gives it work and believes nothing that it says unchecked.
#ifndef LANGEVIN_DATA_INGEST_SANDBOX_H_
#define LANGEVIN_DATA_INGEST_SANDBOX_H_

#include <sys/types.h>

#include <cstdint>

namespace langevin::data {

struct SandboxLimits {
  uint64_t memory_bytes = uint64_t{2} << 30;  // Beyond what the parent has mapped.
  // CPU time for a piece of work, and what it may take longer for each MiB of its sources.
  double seconds_per_piece = 60;
  double seconds_per_mib = 1;
  // How long the parent waits for the child, all together for a piece (and as much longer as
  // seconds_per_mib says), before it ends it: also the bound of what a child that somebody has
  // taken over can allow itself.
  double silent_seconds = 300;
  // What a file may become: no compression that is read does better than about 1,000 to 1, but few
  // bytes may truly be one large image.
  uint64_t decoded_bytes = uint64_t{4} << 30;
  uint64_t decoded_bytes_per_byte = 1100;
};

// A process that was just forked for it gives up what decoding does not need, and keeps `socket` as
// descriptor kSandboxSocket. Warns, loudly, where the kernel cannot confine it.
inline constexpr int kSandboxSocket = 3;
void EnterSandbox(int socket, pid_t parent, const SandboxLimits& limits);

// The CPU time of this process may go on for what sources of this size may take.
void AllowTimeFor(uint64_t source_bytes, const SandboxLimits& limits);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_SANDBOX_H_
