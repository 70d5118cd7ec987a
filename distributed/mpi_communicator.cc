#include "distributed/mpi_communicator.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "distributed/mpi_collectives.h"
#include "distributed/mpi_status.h"

namespace langevin::distributed {

absl::StatusOr<std::unique_ptr<MpiCommunicator>> MpiCommunicator::Create(MPI_Comm parent,
                                                                         Options options) {
  LANGEVIN_ASSIGN_OR_RETURN(const MPI_Comm comm, DuplicateMpiComm(parent));
  LANGEVIN_ASSIGN_OR_RETURN(std::unique_ptr<MpiCollectives> collectives,
                            MpiCollectives::Create(comm));
  return std::unique_ptr<MpiCommunicator>(
      new MpiCommunicator(comm, std::move(collectives), options));
}

MpiCommunicator::MpiCommunicator(MPI_Comm comm, std::shared_ptr<MpiCollectives> collectives,
                                 Options options)
    : comm_(comm),
      advises_overlap_(options.advises_overlap),
      collectives_(std::move(collectives)),
      queue_([collectives = collectives_](
                 const Collective& collective) { return collectives->Run(collective); },
             options.timeout_seconds) {
  MPI_Comm_rank(comm_, &rank_);
  MPI_Comm_size(comm_, &size_);
}

MpiCommunicator::~MpiCommunicator() = default;

std::unique_ptr<Work> MpiCommunicator::Start(Collective collective) {
  if (absl::Status status = CheckCollective(collective, size_); !status.ok()) {
    queue_.Break(status);
    return FinishedWork(std::move(status));
  }
  return queue_.Add(std::move(collective));
}

std::unique_ptr<Work> MpiCommunicator::AllReduce(at::Tensor tensor) {
  return Start({CollectiveKind::kAllReduce, std::move(tensor), {}});
}

std::unique_ptr<Work> MpiCommunicator::ReduceScatter(at::Tensor output, at::Tensor input) {
  return Start({CollectiveKind::kReduceScatter, std::move(output), std::move(input)});
}

std::unique_ptr<Work> MpiCommunicator::AllGather(at::Tensor output, at::Tensor input) {
  return Start({CollectiveKind::kAllGather, std::move(output), std::move(input)});
}

std::unique_ptr<Work> MpiCommunicator::AllToAll(at::Tensor output, at::Tensor input) {
  return Start({CollectiveKind::kAllToAll, std::move(output), std::move(input)});
}

std::unique_ptr<Work> MpiCommunicator::Broadcast(at::Tensor tensor, int root) {
  return Start({CollectiveKind::kBroadcast, std::move(tensor), {}, root});
}

std::unique_ptr<Work> MpiCommunicator::Enqueue(std::function<absl::Status()> local) {
  return queue_.Add(std::move(local));
}

absl::Status MpiCommunicator::Barrier() { return Start({CollectiveKind::kBarrier})->Wait(); }

void MpiCommunicator::Abort(std::string_view reason) {
  queue_.Break(absl::AbortedError(absl::StrCat("rank ", rank_, " gave up: ", std::string(reason))));
}

absl::Status MpiCommunicator::Shutdown() {
  LANGEVIN_RETURN_IF_ERROR(Barrier());
  queue_.Finish();
  LANGEVIN_RETURN_IF_ERROR(collectives_->Shutdown());
  return MpiStatus(MPI_Comm_free(&comm_), "MPI_Comm_free");
}

}  // namespace langevin::distributed
