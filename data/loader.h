// Microbatches ready for the model, prepared ahead by background threads.
//
// A microbatch is named by its first position in the run's sample stream; what is in it is a
// function of (seed, data set, augmentation, position) alone. Threads and prefetch depth change how
// soon it is ready, never what it holds.
#ifndef LANGEVIN_DATA_LOADER_H_
#define LANGEVIN_DATA_LOADER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/run_config.h"
#include "data/augment.h"
#include "data/dataset.h"
#include "data/float_buffer.h"
#include "data/order.h"

namespace langevin::data {

struct Microbatch {
  int64_t first_position = 0;
  int64_t count = 0;
  // (count, channels, height, width) row-major, in the model's range ([-1, 1] for integer data).
  // Lent: the memory goes back to the loader, for a later microbatch, when this is destroyed.
  FloatBuffer images;
  std::vector<int64_t> labels;  // count, or empty where the data set has none.
  // (count, height, width): 1 valid, 0 missing. Empty where the data set has no masks.
  std::vector<uint8_t> masks;
  std::vector<float> conditions;  // (count, condition_size), or empty.
  // (count, kAugmentLabels): what was drawn for EDM's pipeline; empty where there is none.
  std::vector<float> augment_labels;
};

struct LoaderOptions {
  uint64_t seed = 0;
  configs::AugmentConfig augment;
  int64_t microbatch = 1;  // Images in each.
  int threads = 1;
  int prefetch = 4;  // Microbatches that are ready or being prepared at most.
  bool verify_checksums = true;
  double checksum_rate = 1;  // The share of images that verify_checksums means.
  // Null: SampleOrder(seed, dataset.size()). Outlives the loader.
  const Order* order = nullptr;
};

// One consumer thread. The data set must outlive the loader. Destroying it stops its threads.
class Loader {
 public:
  // `first_position_of(k)` gives the first position of the k-th microbatch this rank will ask for,
  // k = 0, 1, ...; it is called from background threads and must be a pure function.
  static std::unique_ptr<Loader> Create(const Dataset& dataset, const LoaderOptions& options,
                                        std::function<int64_t(int64_t)> first_position_of);
  virtual ~Loader() = default;

  // The next microbatch, in order; waits until it is ready. An error that a background thread met
  // is returned when its microbatch is asked for, and by every call after that.
  virtual absl::StatusOr<Microbatch> Next() = 0;
  // Seconds that Next has waited so far: above a few per cent of the run, the disk or the number of
  // threads is what limits it.
  virtual double seconds_waited() const = 0;
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_LOADER_H_
