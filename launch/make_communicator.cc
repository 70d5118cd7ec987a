#include "launch/make_communicator.h"

#include <mpi.h>

#include <string>
#include <utility>
#include <vector>

#include "ATen/Parallel.h"
#include "core/base/status_macros.h"
#include "distributed/local_communicator.h"
#include "distributed/mpi_communicator.h"
#include "distributed/recording_communicator.h"
#ifdef LANGEVIN_CUDA
#include "distributed/nccl_communicator.h"
#endif

namespace langevin::launch {
namespace {

// The watchdog, which can name the missing rank, acts before the communicator's own time limit.
constexpr double kWatchdogLeadSeconds = 10;

absl::StatusOr<std::unique_ptr<distributed::Communicator>> MakeBackend(MpiRuntime& runtime,
                                                                       CommunicatorKind kind,
                                                                       bool on_device,
                                                                       double timeout_seconds) {
  if (kind == CommunicatorKind::kNccl && !on_device) {
    return absl::FailedPreconditionError(
        "distributed.backend NCCL exchanges tensors between GPUs, and this run is on the CPU; "
        "use MPI or AUTO");
  }
  if (kind == CommunicatorKind::kMpi && on_device) {
    return absl::FailedPreconditionError(
        "distributed.backend MPI exchanges tensors in host memory, and this run is on a GPU; use "
        "NCCL or AUTO");
  }
  if (on_device) {
#ifdef LANGEVIN_CUDA
    distributed::NcclOptions options;
    options.rank = runtime.rank();
    options.size = runtime.size();
    options.device_index = runtime.local_rank();
    options.timeout_seconds = timeout_seconds;
    options.broadcast = [&runtime](const std::string& text) -> absl::StatusOr<std::string> {
      LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> all,
                                runtime.control().AllGather(text));
      return all[0];
    };
    return distributed::MakeNcclCommunicator(options);
#else
    return absl::FailedPreconditionError(
        "this langevin was built without CUDA and NCCL; build it where the CUDA toolkit is, or "
        "train on the CPU");
#endif
  }
  if (!runtime.uses_mpi()) {
    return distributed::LocalGroup(1, timeout_seconds).MakeCommunicator(0);
  }
  const bool advises_overlap = AdvisesOverlap(runtime, on_device, at::get_num_threads());
  return distributed::MpiCommunicator::Create(
      MPI_COMM_WORLD, {.timeout_seconds = timeout_seconds, .advises_overlap = advises_overlap});
}

}  // namespace

bool AdvisesOverlap(const MpiRuntime& runtime, bool on_device, int threads) {
  return on_device || runtime.local_size() < runtime.size() || runtime.HasSpareCores(threads);
}

absl::StatusOr<std::unique_ptr<distributed::Communicator>> MakeCommunicator(
    MpiRuntime& runtime, CommunicatorKind kind, bool on_device, double timeout_seconds) {
  absl::StatusOr<std::unique_ptr<distributed::Communicator>> backend = absl::UnknownError("");
  {
    // What backends exchange while they are made is theirs, but a rank may not come to it.
    distributed::ScopedCollective record(runtime.recorder().get(), runtime.board().get(),
                                         "make_communicator", 0);
    backend = MakeBackend(runtime, kind, on_device, timeout_seconds + kWatchdogLeadSeconds);
    if (!backend.ok()) record.Fail();
  }
  LANGEVIN_RETURN_IF_ERROR(backend.status());
  return distributed::MakeRecordingCommunicator(*std::move(backend), runtime.recorder(),
                                                runtime.board());
}

}  // namespace langevin::launch
