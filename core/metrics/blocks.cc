#include "core/metrics/blocks.h"

#include <exception>
#include <mutex>

#include "ATen/Parallel.h"
#include "core/base/parallel_for.h"

namespace langevin::metrics {

SingleThreadedTorch::SingleThreadedTorch() : threads_(at::get_num_threads()) {
  at::set_num_threads(1);
}

SingleThreadedTorch::~SingleThreadedTorch() { at::set_num_threads(threads_); }

void ForBlocks(int64_t count, int threads, int64_t grain,
               const std::function<void(int64_t, int64_t, int64_t)>& body) {
  const SingleThreadedTorch single_threaded;
  std::mutex mutex;
  std::exception_ptr error;
  ParallelFor(count, threads, grain, [&](int64_t begin, int64_t end) {
    try {
      // A new thread has not heard of the setting yet.
      if (at::get_num_threads() != 1) at::set_num_threads(1);
      body(begin / grain, begin, end);
    } catch (...) {
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
    }
  });
  if (error) std::rethrow_exception(error);
}

}  // namespace langevin::metrics
