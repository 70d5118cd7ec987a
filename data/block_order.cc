#include "data/block_order.h"

#include <algorithm>
#include <cassert>
#include <optional>

#include "absl/strings/str_cat.h"
#include "core/base/digest.h"
#include "core/base/permutation.h"

namespace langevin::data {
namespace {

Permutation Keyed(int64_t size, uint64_t seed, const std::string& purpose) {
  return {static_cast<uint64_t>(std::max<int64_t>(1, size)), HashString(purpose, seed)};
}

int64_t At(const Permutation& permutation, int64_t index) {
  return static_cast<int64_t>(permutation(static_cast<uint64_t>(index)));
}

}  // namespace

struct BlockOrder::Epoch {
  int64_t number;
  int64_t begin;        // Its first position.
  int64_t head;         // Positions before the first whole global batch.
  int64_t lane_blocks;  // Whole blocks that each lane has.
  Permutation blocks;   // Of all whole blocks.
  Permutation tail;     // Of the images that are in no lane.
};

// The window of a lane that a block is in.
struct BlockOrder::Window {
  int64_t lane;
  int64_t number;
  int64_t begin, end;  // The lane's blocks.
  Permutation images;
};

BlockOrder::BlockOrder(uint64_t seed, int64_t size, const Cut& cut)
    : seed_(seed), size_(size), cut_(cut), stretch_(cut.global_batch / cut.lanes) {
  assert(size >= 1 && cut.global_batch % cut.lanes == 0);
}

BlockOrder::Epoch BlockOrder::EpochAt(int64_t position) const {
  const int64_t number = position / size_;
  const int64_t begin = number * size_;
  const int64_t batch = cut_.global_batch;
  const int64_t head = std::min(size_, (batch - begin % batch) % batch);
  const int64_t lane_blocks = (size_ - head) / batch * stretch_ / cut_.block_images;
  const int64_t tail = size_ - lane_blocks * cut_.block_images * cut_.lanes;
  return {.number = number,
          .begin = begin,
          .head = head,
          .lane_blocks = lane_blocks,
          .blocks =
              Keyed(size_ / cut_.block_images, seed_, absl::StrCat("block order, epoch ", number)),
          .tail = Keyed(tail, seed_, absl::StrCat("block order, tail of epoch ", number))};
}

BlockOrder::Window BlockOrder::WindowAt(const Epoch& epoch, int64_t lane, int64_t block) const {
  // The first window is shorter by another number of blocks in each lane.
  const int64_t shift = lane * cut_.window_blocks / cut_.lanes;
  const int64_t number = (block + shift) / cut_.window_blocks;
  const int64_t begin = std::max<int64_t>(0, number * cut_.window_blocks - shift);
  const int64_t end = std::min(epoch.lane_blocks, (number + 1) * cut_.window_blocks - shift);
  return {.lane = lane,
          .number = number,
          .begin = begin,
          .end = end,
          .images = Keyed((end - begin) * cut_.block_images, seed_,
                          absl::StrCat("block order, epoch ", epoch.number, ", lane ", lane,
                                       ", window ", number))};
}

// The images that no lane has: of the blocks that are left over, and of the incomplete last one.
int64_t BlockOrder::TailSample(const Epoch& epoch, int64_t index) const {
  const int64_t image = At(epoch.tail, index);
  const int64_t block = epoch.lane_blocks * cut_.lanes + image / cut_.block_images;
  const int64_t whole_blocks = size_ / cut_.block_images;
  if (block < whole_blocks) {
    return At(epoch.blocks, block) * cut_.block_images + image % cut_.block_images;
  }
  return image + epoch.lane_blocks * cut_.lanes * cut_.block_images;
}

void BlockOrder::PicksAt(int64_t first, std::span<Pick> picks) const {
  assert(first >= 0);
  std::optional<Epoch> epoch;
  std::optional<Window> window;
  for (size_t i = 0; i < picks.size(); ++i) {
    const int64_t position = first + static_cast<int64_t>(i);
    if (!epoch.has_value() || position >= epoch->begin + size_) {
      epoch.emplace(EpochAt(position));
      window.reset();
    }
    const int64_t place = position - epoch->begin;
    if (place < epoch->head) {
      picks[i] = {.sample = TailSample(*epoch, place)};
      continue;
    }
    const int64_t batch = (place - epoch->head) / cut_.global_batch;
    const int64_t in_batch = (place - epoch->head) % cut_.global_batch;
    const int64_t lane = in_batch / stretch_;
    const int64_t in_lane = batch * stretch_ + in_batch % stretch_;
    const int64_t lane_images = epoch->lane_blocks * cut_.block_images;
    if (in_lane >= lane_images) {
      // Behind the head, and behind what earlier positions of the tail took: whole stretches of all
      // lanes, but in the batch where the lanes end only their ends.
      const int64_t last = lane_images % stretch_;  // What the lanes still have in that batch.
      const int64_t batches = batch - lane_images / stretch_;
      const int64_t before = batches == 0
                                 ? lane * (stretch_ - last) + in_batch % stretch_ - last
                                 : batches * cut_.global_batch - cut_.lanes * last + in_batch;
      picks[i] = {.sample = TailSample(*epoch, epoch->head + before)};
      continue;
    }
    const int64_t block = in_lane / cut_.block_images;
    if (!window.has_value() || window->lane != lane || block < window->begin ||
        block >= window->end) {
      window.emplace(WindowAt(*epoch, lane, block));
    }
    const int64_t image = At(window->images, in_lane - window->begin * cut_.block_images);
    const int64_t chosen = window->begin + image / cut_.block_images;
    picks[i] = {.sample = At(epoch->blocks, chosen * cut_.lanes + lane) * cut_.block_images +
                          image % cut_.block_images,
                .lane = lane,
                .window = epoch->number << 32 | window->number,
                .window_images = (window->end - window->begin) * cut_.block_images};
  }
}

}  // namespace langevin::data
