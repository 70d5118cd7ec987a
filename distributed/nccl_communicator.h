// Collectives of device tensors over NCCL, by LibTorch's ProcessGroupNCCL.
//
// LibTorch brings the set-up of communicators, a stream of their own, time limits and abort. Only
// in builds with LANGEVIN_CUDA.
#ifndef LANGEVIN_DISTRIBUTED_NCCL_COMMUNICATOR_H_
#define LANGEVIN_DISTRIBUTED_NCCL_COMMUNICATOR_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "distributed/communicator.h"

namespace langevin::distributed {

struct NcclOptions {
  int rank = 0;
  int size = 1;
  int device_index = 0;         // The CUDA device of this rank's tensors; no two ranks share one.
  double timeout_seconds = 60;  // For each collective.
  // Gives every rank the text of rank 0: how the address of the store at which the ranks meet
  // travels. Called once by each rank.
  std::function<absl::StatusOr<std::string>(const std::string&)> broadcast;
};

// All ranks together. Collectives run on a high-priority stream; Wait makes the current stream wait
// and does not block the host. Unavailable: no such device, or the ranks do not reach each other.
absl::StatusOr<std::unique_ptr<Communicator>> MakeNcclCommunicator(const NcclOptions& options);

// How many CUDA devices this process sees; 0 where there is no driver.
int CountCudaDevices();

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_NCCL_COMMUNICATOR_H_
