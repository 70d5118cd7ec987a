// The order in which every image may stand anywhere in its epoch.
//
// Position c belongs to epoch c / N; within an epoch every sample comes once, in an order that is a
// keyed permutation.
#ifndef LANGEVIN_DATA_SAMPLE_ORDER_H_
#define LANGEVIN_DATA_SAMPLE_ORDER_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/permutation.h"
#include "data/order.h"

namespace langevin::data {

// Immutable; any thread.
class SampleOrder : public Order {
 public:
  // Requires size >= 1. `purpose` keeps the orders of several streams of one run apart.
  SampleOrder(uint64_t seed, int64_t size, std::string_view purpose = "sample order")
      : seed_(seed), size_(size), purpose_(purpose) {}

  int64_t size() const { return size_; }

  // The sample at `position`, in [0, size).
  int64_t SampleAt(int64_t position) const;
  void PicksAt(int64_t first, std::span<Pick> picks) const override;

  // The permutation of an epoch. Its key is a hash of (seed, epoch, purpose): with seed + epoch,
  // neighbouring runs would share orders.
  Permutation Epoch(int64_t epoch) const;

 private:
  uint64_t seed_;
  int64_t size_;
  std::string purpose_;
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_SAMPLE_ORDER_H_
