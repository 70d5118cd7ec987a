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

// train::ZeroStageOf as this rank sees it, with its threads; others may have other cores.
int ZeroStageHere(const configs::RunConfig& config, const launch::MpiRuntime& runtime,
                  bool on_device);

// The least of ZeroStageHere of all ranks, which call it together.
absl::StatusOr<int> AgreeOnZeroStage(const configs::RunConfig& config, launch::MpiRuntime& runtime,
                                     bool on_device);

}  // namespace langevin::tools

#endif  // LANGEVIN_TOOLS_COMPUTE_ON_RANKS_H_
