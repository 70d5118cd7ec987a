// Ranks that are threads of one process: for unit tests, and as a world of one.
//
// Sums run in rank order (bfloat16 is added up in float32), so results are the same in every run. A
// collective is carried out by the thread that comes to it last.
#ifndef LANGEVIN_DISTRIBUTED_LOCAL_COMMUNICATOR_H_
#define LANGEVIN_DISTRIBUTED_LOCAL_COMMUNICATOR_H_

#include <memory>
#include <vector>

#include "distributed/communicator.h"
#include "distributed/local_rendezvous.h"
#include "distributed/work.h"

namespace langevin::distributed {

// What the communicators of one group share; they keep it alive. Any thread.
class LocalGroup {
 public:
  // Requires size >= 1. A rank that does not come to a collective within `timeout_seconds` makes
  // all others' calls fail with DeadlineExceeded.
  explicit LocalGroup(int size, double timeout_seconds = 60);

  // The communicator of `rank`; one thread then uses it, and each rank is asked for once.
  std::unique_ptr<Communicator> MakeCommunicator(int rank);

  // One communicator for each rank, in order.
  static std::vector<std::unique_ptr<Communicator>> Make(int size, double timeout_seconds = 60);

 private:
  std::shared_ptr<LocalRendezvous<Collective>> rendezvous_;
};

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_LOCAL_COMMUNICATOR_H_
