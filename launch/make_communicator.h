// What carries tensors between the ranks of a runtime.
#ifndef LANGEVIN_LAUNCH_MAKE_COMMUNICATOR_H_
#define LANGEVIN_LAUNCH_MAKE_COMMUNICATOR_H_

#include <memory>

#include "absl/status/statusor.h"
#include "distributed/communicator.h"
#include "launch/mpi_runtime.h"

namespace langevin::launch {

// Which collectives carry the tensors. kAuto: NCCL for device tensors, else MPI.
enum class CommunicatorKind { kAuto, kMpi, kNccl };

// Whether exchanges between ranks of `threads` compute threads each leave cores alone that compute:
// between hosts most of one is waiting for the network, and on devices it has a stream of its own.
bool AdvisesOverlap(const MpiRuntime& runtime, bool on_device, int threads);

// A communicator for tensors on the CPU (whose advice on overlap counts ATen's threads, so set
// them before), or on CUDA device runtime.local_rank() if `on_device`. All ranks together. In a
// world without MPI it is the local one. FailedPrecondition: NCCL for CPU tensors, or where it is
// not built in. The caller shuts it down before runtime.Finish on every path that did not fail.
absl::StatusOr<std::unique_ptr<distributed::Communicator>> MakeCommunicator(MpiRuntime& runtime,
                                                                            CommunicatorKind kind,
                                                                            bool on_device,
                                                                            double timeout_seconds);

}  // namespace langevin::launch

#endif  // LANGEVIN_LAUNCH_MAKE_COMMUNICATOR_H_
