#include "data/sample_order.h"

#include <cassert>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/base/permutation.h"

namespace langevin::data {

int64_t SampleOrder::SampleAt(int64_t position) const {
  assert(position >= 0);
  const int64_t epoch = position / size_;
  const int64_t place = position % size_;
  const uint64_t key = HashString(absl::StrCat("sample order, epoch ", epoch), seed_);
  return static_cast<int64_t>(
      Permutation(static_cast<uint64_t>(size_), key)(static_cast<uint64_t>(place)));
}

}  // namespace langevin::data
