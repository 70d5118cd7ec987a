// What every subcommand that may run on several ranks has around it.
#ifndef LANGEVIN_TOOLS_RUN_ON_RANKS_H_
#define LANGEVIN_TOOLS_RUN_ON_RANKS_H_

#include <functional>

#include "absl/status/status.h"
#include "launch/mpi_runtime.h"

namespace langevin::tools {

// Starts the ranks' runtime, runs `body`, prints its error unless another rank does, and ends this
// rank's part in the world (after an error in a world of several, by MPI_Abort: it does not return
// then). The status is body's, marked as reported. A body that uses LibTorch is ComputeOnRanks's.
absl::Status RunOnRanks(launch::Purpose purpose,
                        const std::function<absl::Status(launch::MpiRuntime&)>& body);

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_RUN_ON_RANKS_H_
