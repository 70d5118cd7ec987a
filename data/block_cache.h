// The blocks of images that a block order is working on: each is read once while its window lasts.
#ifndef LANGEVIN_DATA_BLOCK_CACHE_H_
#define LANGEVIN_DATA_BLOCK_CACHE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "data/dataset.h"
#include "data/order.h"

namespace langevin::data {

// Any thread. Memory: for each lane that is read, the window in use, and a second one where threads
// are across its end: window_blocks * block_images images each.
class BlockCache {
 public:
  class Window;

  // Where a thread stands: keeps a window while its images are used.
  struct Cursor {
    int64_t lane = -1;
    int64_t window = -1;
    std::shared_ptr<Window> held;
  };

  BlockCache(const Dataset& dataset, int64_t block_images);
  ~BlockCache();

  // The bytes of the picked image, which is in a window; valid until the cursor moves on. Reads its
  // block if that is not here yet, with the checksums if `verify`.
  absl::StatusOr<std::span<const std::byte>> Image(const Pick& pick, Cursor& cursor, bool verify);

 private:
  std::shared_ptr<Window> Find(int64_t lane, int64_t window, int64_t images);

  const Dataset& dataset_;
  const int64_t block_images_;
  std::mutex mutex_;
  // By lane and window. Guarded by mutex_.
  std::map<int64_t, std::map<int64_t, std::shared_ptr<Window>>> lanes_;
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_BLOCK_CACHE_H_
