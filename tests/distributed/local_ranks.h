// Runs a test's body on several ranks at once, each a thread with its own communicator.
#ifndef LANGEVIN_TESTS_DISTRIBUTED_LOCAL_RANKS_H_
#define LANGEVIN_TESTS_DISTRIBUTED_LOCAL_RANKS_H_

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "distributed/local_communicator.h"

namespace langevin::distributed {

// Returns when `body` has returned on all `size` ranks.
inline void RunLocalRanks(int size, const std::function<void(Communicator&)>& body,
                          double timeout_seconds = 60) {
  const std::vector<std::unique_ptr<Communicator>> communicators =
      LocalGroup::Make(size, timeout_seconds);
  std::vector<std::thread> threads;
  for (const auto& communicator : communicators) {
    threads.emplace_back([&body, &communicator] { body(*communicator); });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace langevin::distributed

#endif  // LANGEVIN_TESTS_DISTRIBUTED_LOCAL_RANKS_H_
