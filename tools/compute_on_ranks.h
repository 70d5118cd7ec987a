// RunOnRanks for subcommands that compute with tensors, and the device they do it on.
#ifndef LANGEVIN_TOOLS_COMPUTE_ON_RANKS_H_
#define LANGEVIN_TOOLS_COMPUTE_ON_RANKS_H_

#include <functional>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "configs/run_config.h"
#include "launch/make_communicator.h"
#include "launch/mpi_runtime.h"

namespace langevin::tools {

// RunOnRanks (tools/run_on_ranks.h), which also knows the exceptions of LibTorch.
absl::Status ComputeOnRanks(launch::Purpose purpose,
                            const std::function<absl::Status(launch::MpiRuntime&)>& body);

// The device this rank computes on: its GPU where `backend` asks for NCCL, or leaves it open and
// every rank has one of its own; else the CPU. All ranks together. FailedPrecondition: NCCL without
// a GPU for each rank.
absl::StatusOr<at::Device> ChooseDevice(launch::MpiRuntime& runtime, configs::Backend backend);

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_COMPUTE_ON_RANKS_H_
