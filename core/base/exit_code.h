// What the program's exit status means to the script that started it.
//
// Batch systems act on these numbers (75 is requeued, 3 is not), so they are part of the command
// line's promise. Library code never picks one: it returns an absl::Status whose code says what
// kind of failure it is, and main translates.
#ifndef LANGEVIN_CORE_BASE_EXIT_CODE_H_
#define LANGEVIN_CORE_BASE_EXIT_CODE_H_

#include "absl/status/status.h"

namespace langevin {

enum class ExitCode {
  kDone = 0,
  kUsage = 2,           // The command line is wrong.
  kBadConfig = 3,       // The config cannot be run, or not here.
  kBadData = 4,         // Data set, model or checkpoint is missing, damaged or of another shape.
  kCommunication = 5,   // A rank is gone or does not answer; the launcher is wrong.
  kOutOfResources = 6,  // Out of memory or disk.
  kInternal = 70,       // A bug.
  kStoppedEarly = 75,   // Asked to stop, everything saved: run the same command again to go on.
};

// InvalidArgument, FailedPrecondition, PermissionDenied, AlreadyExists, OutOfRange and
// Unimplemented are kBadConfig; DataLoss and NotFound kBadData; Unavailable, DeadlineExceeded and
// Aborted kCommunication; ResourceExhausted kOutOfResources; Cancelled kStoppedEarly; the rest
// kInternal.
ExitCode ExitCodeFor(const absl::Status& status);

}  // namespace langevin

#endif  // LANGEVIN_CORE_BASE_EXIT_CODE_H_
