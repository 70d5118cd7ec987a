// Blocking MPI collectives on host tensors of any size, in pieces.
#ifndef LANGEVIN_DISTRIBUTED_MPI_COLLECTIVES_H_
#define LANGEVIN_DISTRIBUTED_MPI_COLLECTIVES_H_

#include <mpi.h>

#include <memory>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "distributed/work.h"

namespace langevin::distributed {

// Carries out collectives on a communicator that somebody else owns and frees. One thread at a
// time.
class MpiCollectives {
 public:
  // No more bytes of data than this go through one call of MPI.
  static constexpr int64_t kPieceBytes = int64_t{8} << 20;

  static absl::StatusOr<std::unique_ptr<MpiCollectives>> Create(MPI_Comm comm);

  // Requires CheckCollective(collective, ranks) to be OK. Returns when this rank is done.
  absl::Status Run(const Collective& collective);

  // Frees what MPI holds; before MPI_Finalize.
  absl::Status Shutdown();

 private:
  MpiCollectives(MPI_Comm comm, MPI_Op sum_bfloat16);

  absl::Status AllReduce(const at::Tensor& tensor);
  absl::Status ReduceScatter(const at::Tensor& output, const at::Tensor& input);
  absl::Status AllGather(const at::Tensor& output, const at::Tensor& input);
  absl::Status AllToAll(const at::Tensor& output, const at::Tensor& input);
  absl::Status Broadcast(const at::Tensor& tensor, int root);

  // Room for what other ranks send before it is summed, kept from call to call.
  at::Tensor Received(int64_t numel, const at::TensorOptions& options);

  MPI_Comm comm_;
  MPI_Op sum_bfloat16_;
  int size_ = 1;
  at::Tensor received_;  // See Received.
};

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_MPI_COLLECTIVES_H_
