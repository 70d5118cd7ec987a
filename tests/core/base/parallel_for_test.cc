#include "core/base/parallel_for.h"

#include <atomic>
#include <vector>

#include "gtest/gtest.h"

namespace langevin {
namespace {

TEST(ParallelForTest, EveryPartComesOnce) {
  for (const int threads : {0, 1, 2, 7}) {
    for (const int64_t count : {0, 1, 10, 1000}) {
      std::vector<std::atomic<int>> visits(static_cast<size_t>(count));
      ParallelFor(count, threads, 3, [&](int64_t begin, int64_t end) {
        EXPECT_LE(end - begin, 3);
        for (int64_t i = begin; i < end; ++i) ++visits[static_cast<size_t>(i)];
      });
      for (const std::atomic<int>& visit : visits) EXPECT_EQ(visit, 1);
    }
  }
}

}  // namespace
}  // namespace langevin
