// Makes one rank come to grief on purpose, to see what becomes of the others.
//
//   LANGEVIN_FAULT=rank=2,phase=all_reduce,images_seen=32,kind=stop
//
// The rank does its work until it enters the phase at that images_seen or later. Phases are those
// that messages name: start, resume, load, forward_backward, all_reduce, optimizer, sample,
// snapshot, agree, checkpoint. images_seen left out is 0. Kinds:
//
//   kill           SIGKILL              stop   SIGSTOP
//   hang           sleeps for ever: alive, but it comes to nothing any more
//   throw          an exception         out_of_memory   std::bad_alloc
//   full_disk      what this rank writes until the phase is over fails, as on a full disk
//   slow           sleeps `seconds` in this phase every time: seconds=0.5
//
// Without the variable, which is read once at the start, nothing of this exists.
#ifndef LANGEVIN_LAUNCH_FAULT_INJECTION_H_
#define LANGEVIN_LAUNCH_FAULT_INJECTION_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "distributed/phase_board.h"

namespace langevin::launch {

enum class FaultKind { kKill, kStop, kHang, kThrow, kOutOfMemory, kFullDisk, kSlow };

struct Fault {
  int rank = 0;
  std::string phase;
  int64_t images_seen = 0;
  FaultKind kind = FaultKind::kKill;
  double seconds = 1;
};

// InvalidArgument names what is wrong with the text.
absl::StatusOr<Fault> ParseFault(const std::string& text);

// That of LANGEVIN_FAULT; nothing if it is not set.
absl::StatusOr<std::optional<Fault>> ReadFault();

// For the board of the rank that is meant. Called by the thread that trains.
distributed::PhaseBoard::Hook MakeFaultHook(const Fault& fault);

}  // namespace langevin::launch

#endif  // LANGEVIN_LAUNCH_FAULT_INJECTION_H_
