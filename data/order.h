// Which image stands at which position of a run's sample stream.
//
// An order is a pure function of (seed, data set, position): every rank can ask for any place at
// any time, and there is no loader state to save or to agree on.
#ifndef LANGEVIN_DATA_ORDER_H_
#define LANGEVIN_DATA_ORDER_H_

#include <cstdint>
#include <memory>
#include <span>

#include "absl/status/statusor.h"
#include "configs/run_config.h"
#include "data/dataset.h"

namespace langevin::data {

// What stands at a position.
struct Pick {
  int64_t sample = 0;  // Index into the data set.
  // Block order: images of one lane and window come from blocks that are read once and held. -1:
  // the image is read by itself.
  int64_t lane = -1;
  int64_t window = -1;
  int64_t window_images = 0;  // How many positions the window covers.
};

// Immutable; any thread.
class Order {
 public:
  virtual ~Order() = default;
  // What stands at positions first, first + 1, ...; cheaper together than one by one.
  virtual void PicksAt(int64_t first, std::span<Pick> picks) const = 0;
  // Of block order: images that lie side by side and are read at once; else 1.
  virtual int64_t block_images() const { return 1; }
};

// The order that a run's config asks for. InvalidArgument where the data set does not allow it:
// class_balance without labels.
absl::StatusOr<std::unique_ptr<Order>> MakeOrder(const Dataset& dataset,
                                                 const configs::DataConfig& config, uint64_t seed,
                                                 int64_t global_batch);

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_ORDER_H_
