#include "data/sample_order.h"

#include <algorithm>
#include <cassert>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"

namespace langevin::data {

Permutation SampleOrder::Epoch(int64_t epoch) const {
  const uint64_t key = HashString(absl::StrCat(purpose_, ", epoch ", epoch), seed_);
  return Permutation(static_cast<uint64_t>(size_), key);
}

int64_t SampleOrder::SampleAt(int64_t position) const {
  Pick pick;
  PicksAt(position, {&pick, 1});
  return pick.sample;
}

void SampleOrder::PicksAt(int64_t first, std::span<Pick> picks) const {
  assert(first >= 0);
  for (size_t done = 0; done < picks.size();) {
    const int64_t epoch = (first + static_cast<int64_t>(done)) / size_;
    const Permutation order = Epoch(epoch);
    int64_t place = (first + static_cast<int64_t>(done)) % size_;
    for (; place < size_ && done < picks.size(); ++place, ++done) {
      picks[done] = {.sample = static_cast<int64_t>(order(static_cast<uint64_t>(place)))};
    }
  }
}

}  // namespace langevin::data
