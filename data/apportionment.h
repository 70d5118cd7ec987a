// Deals the positions of a stream to parts in proportion to their weights, as evenly as can be.
//
// The stream is periodic. Up to any position, the number of positions that a part has got differs
// from its exact share by less than one; over a whole period it is exact. The schedule is that of
// Tijdeman ("The chairman assignment problem", 1980), found by earliest deadlines.
#ifndef LANGEVIN_DATA_APPORTIONMENT_H_
#define LANGEVIN_DATA_APPORTIONMENT_H_

#include <cstddef>
#include <cstdint>
#include <vector>

namespace langevin::data {

// Immutable; any thread.
class Apportionment {
 public:
  // Weights are above 0. Shares with a common denominator of at most kLargestPeriod are kept
  // exactly, others rounded to multiples of one over it, at least one.
  explicit Apportionment(const std::vector<double>& weights);

  static constexpr int64_t kLargestPeriod = 1 << 16;

  struct Turn {
    int64_t part;   // Which weight's.
    int64_t index;  // How many positions this part had before.
  };
  Turn At(int64_t position) const {
    const Slot& slot = slots_[static_cast<size_t>(position % period())];
    return {.part = slot.part,
            .index = position / period() * quotas_[static_cast<size_t>(slot.part)] + slot.before};
  }

  int64_t period() const { return static_cast<int64_t>(slots_.size()); }
  // Positions that each part has in a period.
  const std::vector<int64_t>& quotas() const { return quotas_; }

 private:
  struct Slot {
    int32_t part;
    int32_t before;
  };

  std::vector<int64_t> quotas_;
  std::vector<Slot> slots_;
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_APPORTIONMENT_H_
