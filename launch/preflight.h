// `langevin preflight`: finds out, before a long run does, what is wrong with launcher, nodes,
// network and disks, and says what to do about it.
#ifndef LANGEVIN_LAUNCH_PREFLIGHT_H_
#define LANGEVIN_LAUNCH_PREFLIGHT_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace CLI {
class App;
}  // namespace CLI

namespace langevin::launch {

// What a config asks of the place where it is to run.
struct RunNeeds {
  std::string digest;    // Of the config in force.
  uint64_t weights = 0;  // Of its model; 0 if the config has none.
};

// Reads the config of `--config` with the replacements of `--set`. Comes from above: launch knows
// nothing of models.
using ReadRunNeeds = std::function<absl::StatusOr<RunNeeds>(
    const std::string& config, const std::vector<std::string>& overrides)>;

// Adds the subcommand to `program`. If the user picks it, `action` becomes what is to be run; it
// starts and ends MPI itself, so the caller must not have done so. The table goes to the standard
// output of rank 0. OK: nothing is wrong. Unavailable: the launcher is. FailedPrecondition:
// something else. Ranks other than 0 return OK. `program` and `action` must outlive the parsing.
void RegisterPreflight(CLI::App& program, std::function<absl::Status()>& action,
                       ReadRunNeeds read_run_needs);

}  // namespace langevin::launch

#endif  // LANGEVIN_LAUNCH_PREFLIGHT_H_
