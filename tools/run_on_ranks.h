// What every subcommand that may run on several ranks has around it.
#ifndef LANGEVIN_TOOLS_RUN_ON_RANKS_H_
#define LANGEVIN_TOOLS_RUN_ON_RANKS_H_

#include <functional>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "configs/run_config.h"
#include "launch/mpi_runtime.h"

namespace langevin::tools {

// Starts the ranks' runtime, runs `body`, prints its error unless another rank does, and ends this
// rank's part in the world (after an error in a world of several, by MPI_Abort: it does not return
// then). The status is body's, marked as reported.
absl::Status RunOnRanks(launch::Purpose purpose,
                        const std::function<absl::Status(launch::MpiRuntime&)>& body);

// The device this rank computes on: its GPU where `backend` asks for NCCL, or leaves it open and
// every rank has one of its own; else the CPU. All ranks together. FailedPrecondition: NCCL without
// a GPU for each rank.
absl::StatusOr<at::Device> ChooseDevice(launch::MpiRuntime& runtime, configs::Backend backend);

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_RUN_ON_RANKS_H_
