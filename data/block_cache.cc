#include "data/block_cache.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "core/base/status_macros.h"

namespace langevin::data {

class BlockCache::Window {
 public:
  explicit Window(int64_t images) : images_left_(images) {}

  absl::StatusOr<std::span<const std::byte>> Image(const Dataset& dataset, int64_t block_images,
                                                   int64_t sample, bool verify) {
    const auto image_bytes =
        static_cast<size_t>(dataset.shape().values()) * SizeOf(dataset.dtype());
    const int64_t first = sample / block_images * block_images;
    std::unique_lock lock(mutex_);
    std::shared_ptr<Block>& block = blocks_[first];
    if (block == nullptr) block = std::make_shared<Block>();
    const std::shared_ptr<Block> held = block;  // The map may move on.
    lock.unlock();
    {
      // Others wait for the block, not for the window.
      const std::lock_guard reading(held->mutex);
      if (held->bytes.empty()) {
        std::vector<std::byte> bytes(static_cast<size_t>(block_images) * image_bytes);
        LANGEVIN_RETURN_IF_ERROR(dataset.ReadImages(first, block_images, verify, bytes));
        held->bytes = std::move(bytes);
      }
    }
    return std::span<const std::byte>(held->bytes)
        .subspan(static_cast<size_t>(sample - first) * image_bytes, image_bytes);
  }

  // Whether that was the last image of the window.
  bool CountUse() { return --images_left_ == 0; }

 private:
  struct Block {
    std::mutex mutex;
    std::vector<std::byte> bytes;  // Set once, under mutex.
  };

  std::mutex mutex_;
  std::map<int64_t, std::shared_ptr<Block>> blocks_;  // By their first image. Guarded by mutex_.
  std::atomic<int64_t> images_left_;
};

BlockCache::BlockCache(const Dataset& dataset, int64_t block_images)
    : dataset_(dataset), block_images_(block_images) {}

BlockCache::~BlockCache() = default;

std::shared_ptr<BlockCache::Window> BlockCache::Find(int64_t lane, int64_t window, int64_t images) {
  const std::lock_guard lock(mutex_);
  std::map<int64_t, std::shared_ptr<Window>>& windows = lanes_[lane];
  std::shared_ptr<Window>& found = windows[window];
  if (found == nullptr) found = std::make_shared<Window>(images);
  const std::shared_ptr<Window> result = found;
  // Windows that a run began in the middle of, or shares with other ranks, are never used up.
  while (windows.size() > 2) windows.erase(windows.begin());
  return result;
}

absl::StatusOr<std::span<const std::byte>> BlockCache::Image(const Pick& pick, Cursor& cursor,
                                                             bool verify) {
  if (cursor.held == nullptr || cursor.lane != pick.lane || cursor.window != pick.window) {
    cursor = {.lane = pick.lane,
              .window = pick.window,
              .held = Find(pick.lane, pick.window, pick.window_images)};
  }
  LANGEVIN_ASSIGN_OR_RETURN(const std::span<const std::byte> bytes,
                            cursor.held->Image(dataset_, block_images_, pick.sample, verify));
  if (cursor.held->CountUse()) {
    // The cursor keeps it until the bytes are used.
    const std::lock_guard lock(mutex_);
    lanes_[pick.lane].erase(pick.window);
  }
  return bytes;
}

}  // namespace langevin::data
