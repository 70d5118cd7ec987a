// A thread that carries out blocking collectives one after the other while the caller computes.
#ifndef LANGEVIN_DISTRIBUTED_COLLECTIVE_QUEUE_H_
#define LANGEVIN_DISTRIBUTED_COLLECTIVE_QUEUE_H_

#include <functional>
#include <memory>
#include <thread>

#include "absl/status/status.h"
#include "distributed/work.h"

namespace langevin::distributed {

// Add, Break and Finish may be called by any thread, the rest by the owner.
class CollectiveQueue {
 public:
  // Carries one out; returns when this rank is done. Called by the queue's thread alone. If it
  // throws, that is an error like any other.
  using Runner = std::function<absl::Status(const Collective&)>;

  // Works wait for `timeout_seconds` at most, twice that until a first collective has ended; then
  // they fail with DeadlineExceeded, and so do all others.
  CollectiveQueue(Runner runner, double timeout_seconds);
  // Without Finish something has failed: what is queued is not begun any more. A thread that is
  // inside a collective, which may never return, is left behind, and the runner with it.
  ~CollectiveQueue();

  std::unique_ptr<Work> Add(Collective collective);
  // The same for a computation of this rank alone.
  std::unique_ptr<Work> Add(std::function<absl::Status()> local);

  // Ends every wait, now and later, with `status`. The first reason stays.
  void Break(absl::Status status);

  // Carries out what is queued and ends the thread.
  void Finish();

 private:
  class State;
  class QueuedWork;

  std::shared_ptr<State> state_;  // Shared with the thread and every Work.
  std::thread thread_;
};

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_COLLECTIVE_QUEUE_H_
