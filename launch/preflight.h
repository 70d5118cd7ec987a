// `langevin preflight`: finds out, before a long run does, what is wrong with launcher, nodes,
// network and disks, and says what to do about it.
#ifndef LANGEVIN_LAUNCH_PREFLIGHT_H_
#define LANGEVIN_LAUNCH_PREFLIGHT_H_

#include <functional>

#include "absl/status/status.h"

namespace CLI {
class App;
}  // namespace CLI

namespace langevin::launch {

// Adds the subcommand to `program`. If the user picks it, `action` becomes what is to be run; it
// starts and ends MPI itself, so the caller must not have done so. The table goes to the standard
// output of rank 0. OK: nothing is wrong. Unavailable: the launcher is. FailedPrecondition:
// something else. Ranks other than 0 return OK. `program` and `action` must outlive the parsing.
void RegisterPreflight(CLI::App& program, std::function<absl::Status()>& action);

}  // namespace langevin::launch

#endif  // LANGEVIN_LAUNCH_PREFLIGHT_H_
