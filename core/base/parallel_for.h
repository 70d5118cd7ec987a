// A loop on several threads of this process, for work outside LibTorch (which has its own).
#ifndef LANGEVIN_CORE_BASE_PARALLEL_FOR_H_
#define LANGEVIN_CORE_BASE_PARALLEL_FOR_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace langevin {

// Calls body(begin, end) for parts of [0, count) of at most `grain` (at least 1), each once, on up
// to `threads` threads, this one among them, and returns when all are done. Who gets which part is
// chance: results must not depend on it. `body` must not throw.
template <typename Body>
void ParallelFor(int64_t count, int threads, int64_t grain, const Body& body) {
  std::atomic<int64_t> next = 0;
  const auto work = [&] {
    for (int64_t begin = next.fetch_add(grain); begin < count; begin = next.fetch_add(grain)) {
      body(begin, std::min(count, begin + grain));
    }
  };
  const int64_t parts = (count + grain - 1) / grain;
  std::vector<std::thread> others;
  for (int64_t i = 1; i < std::min<int64_t>(threads, parts); ++i) others.emplace_back(work);
  work();
  for (std::thread& thread : others) thread.join();
}

}  // namespace langevin

#endif  // LANGEVIN_CORE_BASE_PARALLEL_FOR_H_
