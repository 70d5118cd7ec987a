// How the metrics use threads: tables are cut into fixed blocks, each computed by one thread alone.
//
// A sum's bits depend on how it is cut, and LibTorch and the BLAS behind it cut by the number of
// threads. Here the cut is a function of the table's size, so that a metric has the same bits on
// any number of threads and ranks.
#ifndef LANGEVIN_CORE_METRICS_BLOCKS_H_
#define LANGEVIN_CORE_METRICS_BLOCKS_H_

#include <cstdint>
#include <functional>

namespace langevin::metrics {

// LibTorch computes with one thread for as long as this lives, on the thread that made it and on
// threads begun meanwhile.
class SingleThreadedTorch {
 public:
  SingleThreadedTorch();
  ~SingleThreadedTorch();
  SingleThreadedTorch(const SingleThreadedTorch&) = delete;
  SingleThreadedTorch& operator=(const SingleThreadedTorch&) = delete;

 private:
  const int threads_;
};

// Calls body(block, begin, end) for blocks 0, 1, ... of `grain` rows (the last may be shorter) that
// make up [0, count), on up to `threads` threads, with LibTorch single-threaded in each. Blocks may
// run in any order: each writes to places of its own. An exception of body's is thrown here, when
// all threads are done.
void ForBlocks(int64_t count, int threads, int64_t grain,
               const std::function<void(int64_t block, int64_t begin, int64_t end)>& body);

// How many pairs of two tables' rows are computed at a time, by one thread.
constexpr int64_t kPairRows = 256;
constexpr int64_t kPairColumns = 1024;

}  // namespace langevin::metrics

#endif  // LANGEVIN_CORE_METRICS_BLOCKS_H_
