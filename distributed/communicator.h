// The one way for ranks to exchange tensors.
//
// Training code sees this interface alone, so that it is the same over NCCL, MPI, threads of one
// process, or no process at all. Every collective is called by all ranks in the same order with the
// same sizes; it returns at once, and the tensors must be left alone until the Work has been waited
// for. All tensors are contiguous and on the device the communicator was made for.
#ifndef LANGEVIN_DISTRIBUTED_COMMUNICATOR_H_
#define LANGEVIN_DISTRIBUTED_COMMUNICATOR_H_

#include <functional>
#include <memory>
#include <string_view>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"

namespace langevin::distributed {

// A collective under way. Waiting twice is fine and gives the same answer.
class Work {
 public:
  virtual ~Work() = default;
  // Returns when the result is in the tensor (on a device: when work submitted afterwards will see
  // it). Unavailable, DeadlineExceeded or Aborted: a rank is gone or does not answer; the
  // communicator is then of no more use.
  virtual absl::Status Wait() = 0;

  // What is known without waiting; any thread. kUnknown: only Wait can tell, and it returns when
  // the collective has ended. kEnded: well or not, the tensors are used no more.
  enum class Progress { kUnknown, kUnderWay, kEnded };
  virtual Progress Poll() { return Progress::kUnknown; }
};

// Owned by one thread, which makes all calls. Shutdown must be called before destruction on every
// path that did not fail; no communicator is ever static.
class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual std::string_view backend_name() const = 0;  // "mpi", "nccl", "local".
  // Whether what is under way leaves the caller's cores alone, so that it pays to begin early and
  // compute meanwhile.
  virtual bool advises_overlap() const { return true; }

  // Sums `tensor` (float32, float64 or bfloat16) over all ranks, in place. The order of summation
  // is the backend's own.
  virtual std::unique_ptr<Work> AllReduce(at::Tensor tensor) = 0;
  // output (n) becomes this rank's n-element slice of the sum of the ranks' inputs (size() * n).
  // output may be this rank's slice of input.
  virtual std::unique_ptr<Work> ReduceScatter(at::Tensor output, at::Tensor input) = 0;
  // output (size() * n) becomes the ranks' inputs (n), in rank order. input may be this rank's
  // slice of output.
  virtual std::unique_ptr<Work> AllGather(at::Tensor output, at::Tensor input) = 0;
  // Slice r of input (size() * n) goes to rank r; slice r of output comes from rank r.
  virtual std::unique_ptr<Work> AllToAll(at::Tensor output, at::Tensor input) = 0;
  // All ranks get root's `tensor`.
  virtual std::unique_ptr<Work> Broadcast(at::Tensor tensor, int root) = 0;
  // Runs `local`, a computation of this rank alone, in the order of the collectives: it sees the
  // results of those called before, and those called after see its own. So a chain of collectives
  // and sums goes on while the caller computes. `local` may run on another thread, at once or
  // later, and on devices must only submit work (to the current stream). Its error breaks the
  // communicator as that of a collective would.
  virtual std::unique_ptr<Work> Enqueue(std::function<absl::Status()> local) = 0;
  // Returns when all ranks have called it.
  virtual absl::Status Barrier() = 0;

  // Ends every collective under way with an error, here and as far as possible on other ranks. The
  // only call that any thread may make.
  virtual void Abort(std::string_view reason) = 0;
  // Waits for what is under way and frees the resources; all ranks together.
  virtual absl::Status Shutdown() = 0;
};

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_COMMUNICATOR_H_
