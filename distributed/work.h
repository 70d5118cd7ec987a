// The parts that the backends' Work objects and error handling share.
#ifndef LANGEVIN_DISTRIBUTED_WORK_H_
#define LANGEVIN_DISTRIBUTED_WORK_H_

#include <cstdint>
#include <memory>
#include <string>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "distributed/communicator.h"

namespace langevin::distributed {

enum class CollectiveKind {
  kAllReduce,
  kReduceScatter,
  kAllGather,
  kAllToAll,
  kBroadcast,
  kBarrier
};

// "all_reduce": what messages call it.
const char* NameOf(CollectiveKind kind);

// What one rank asks for. A collective in place (all_reduce, broadcast) has its tensor as output,
// and input is undefined; a barrier has neither.
struct Collective {
  CollectiveKind kind = CollectiveKind::kBarrier;
  at::Tensor output;
  at::Tensor input;
  int root = 0;

  // "all_reduce of 1024 float32".
  std::string Description() const;
};

// OK if `collective` can be carried out by `ranks` ranks: tensors contiguous, of one type that can
// be summed where that is asked for, of sizes that fit. Else Internal: it is a bug in the caller.
absl::Status CheckCollective(const Collective& collective, int ranks);

// A Work that has already ended with `status`.
std::unique_ptr<Work> FinishedWork(absl::Status status);

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_WORK_H_
