// The order for file systems where one large read is much cheaper than many small ones.
//
// Blocks of B consecutive images are permuted in each epoch and dealt to C lanes; a lane's blocks
// are mixed image by image inside windows of W blocks. A global batch of G positions is cut into C
// equal stretches, one a lane, so that ranks that divide C (and take equal stretches of the global
// batch, as they do) read lanes of their own: every block is read by one rank, once an epoch, and a
// rank holds C / ranks windows of W * B images. Windows of different lanes end at different times,
// so that reads are spread over the run.
//
// What does not fill whole blocks of all lanes (fewer than C * B + 2 * G images an epoch, other
// ones each time) is read image by image. Epochs begin anywhere in a global batch: nothing is
// dropped or repeated, and every epoch has every image once.
#ifndef LANGEVIN_DATA_BLOCK_ORDER_H_
#define LANGEVIN_DATA_BLOCK_ORDER_H_

#include <cstdint>

#include "data/order.h"

namespace langevin::data {

// Immutable; any thread.
class BlockOrder : public Order {
 public:
  struct Cut {
    int64_t block_images = 1;   // B
    int64_t lanes = 1;          // C, divides global_batch.
    int64_t window_blocks = 1;  // W
    int64_t global_batch = 1;   // G
  };

  BlockOrder(uint64_t seed, int64_t size, const Cut& cut);

  void PicksAt(int64_t first, std::span<Pick> picks) const override;
  int64_t block_images() const override { return cut_.block_images; }

 private:
  struct Epoch;
  struct Window;

  Epoch EpochAt(int64_t position) const;
  Window WindowAt(const Epoch& epoch, int64_t lane, int64_t block) const;
  int64_t TailSample(const Epoch& epoch, int64_t index) const;

  const uint64_t seed_;
  const int64_t size_;
  const Cut cut_;
  const int64_t stretch_;  // Positions that a lane has in a global batch.
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_BLOCK_ORDER_H_
