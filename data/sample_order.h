// Which sample stands at a position of a run's sample stream.
//
// Position c belongs to epoch c / N; within an epoch every sample comes once, in an order that is a
// keyed permutation. A pure function of (seed, size, position): every rank can ask for any place at
// any time, and there is no loader state to save.
#ifndef LANGEVIN_DATA_SAMPLE_ORDER_H_
#define LANGEVIN_DATA_SAMPLE_ORDER_H_

#include <cstdint>

namespace langevin::data {

// Immutable value; any thread.
class SampleOrder {
 public:
  // Requires size >= 1.
  SampleOrder(uint64_t seed, int64_t size) : seed_(seed), size_(size) {}

  // The sample at `position`, in [0, size). The key of an epoch is a hash of (seed, epoch,
  // purpose): with seed + epoch, neighbouring runs would share orders.
  int64_t SampleAt(int64_t position) const;

 private:
  uint64_t seed_;
  int64_t size_;
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_SAMPLE_ORDER_H_
