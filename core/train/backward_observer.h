// Tells which parts of the flat gradient are complete while backward goes on.
#ifndef LANGEVIN_CORE_TRAIN_BACKWARD_OBSERVER_H_
#define LANGEVIN_CORE_TRAIN_BACKWARD_OBSERVER_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "core/model/parameter_store.h"
#include "distributed/gradient_reducer.h"

namespace langevin::train {

// Hangs a hook on every trainable parameter for as long as it lives. The hooks run in the thread
// that autograd uses: on the CPU the one that called backward, on a device autograd's own, while
// that one waits. The store must outlive it, and have one observer at a time.
class BackwardObserver {
 public:
  // `on_bucket` is called with each bucket's index, in their order (also where backward completes
  // them in another), as soon as all gradients in it and in those before it are there. A bucket
  // with a parameter that the loss does not depend on, and those behind it, are not reported.
  BackwardObserver(model::ParameterStore& store, std::vector<distributed::Bucket> buckets,
                   std::function<void(int64_t bucket)> on_bucket);
  ~BackwardObserver();
  BackwardObserver(const BackwardObserver&) = delete;
  BackwardObserver& operator=(const BackwardObserver&) = delete;

  // Observes the next backward pass. Passes without are ignored.
  void Arm();
  void Disarm() { armed_ = false; }

 private:
  class Hook;
  void OnGradient(size_t bucket);

  model::ParameterStore& store_;
  const std::function<void(int64_t)> on_bucket_;
  std::vector<int64_t> expected_;  // By bucket: how many gradients it has.
  std::vector<int64_t> missing_;   // How many of them are still to come.
  size_t next_ = 0;                // The bucket to report.
  bool armed_ = false;
};

}  // namespace langevin::train

#endif  // LANGEVIN_CORE_TRAIN_BACKWARD_OBSERVER_H_
