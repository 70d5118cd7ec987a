// Which numbers of a flat buffer each rank owns, where state is sliced over the ranks (ZeRO-1,
// Rajbhandari et al. 2020).
//
// The buffer is cut into buckets (what leaves at once while backward goes on), a bucket into pieces
// (what is exchanged at once), and a piece into one equal shard a rank: just the cut in which the
// reducer's all-to-all leaves sums behind. Shards are whole blocks of kBlock numbers, so that what
// is computed by blocks has the same bits however the buffer is cut.
#ifndef LANGEVIN_DISTRIBUTED_FLAT_SHARDING_H_
#define LANGEVIN_DISTRIBUTED_FLAT_SHARDING_H_

#include <cstdint>
#include <utility>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "distributed/communicator.h"

namespace langevin::distributed {

// Numbers [begin, end) of a flat buffer.
struct Bucket {
  int64_t begin = 0;
  int64_t end = 0;

  int64_t size() const { return end - begin; }
  friend bool operator==(const Bucket&, const Bucket&) = default;
};

// Cuts a flat gradient whose parameters begin at `offsets` (ascending, the first is 0) and end at
// `size` into buckets, in the order in which backward completes them: from the end, a small one
// first, so that the exchange begins early, then of `bucket_size` numbers or one parameter more.
// Boundaries are rounded up to multiples of `unit`, which divides `size`.
std::vector<Bucket> CutIntoBuckets(const std::vector<int64_t>& offsets, int64_t size,
                                   int64_t first_size, int64_t bucket_size, int64_t unit = 1);

// How many numbers are exchanged at once: few enough that what was received is still in the cache
// when it is summed, or, on devices, enough to fill the links.
int64_t PieceElements(at::Device device);

// Immutable. Any thread.
class FlatSharding {
 public:
  static constexpr int64_t kBlock = 256;

  // Requires bucket sizes that are multiples of ranks * kBlock. Pieces have about `piece_size`
  // numbers, at least a block a rank.
  FlatSharding(const std::vector<Bucket>& buckets, int ranks, int rank, int64_t piece_size);

  // All pieces, bucket after bucket.
  const std::vector<Bucket>& pieces() const { return pieces_; }
  // This rank's part of a piece.
  Bucket ShardOf(const Bucket& piece) const;
  // This rank's parts of all, in the order of the pieces, and how many numbers they are together.
  const std::vector<Bucket>& Shards() const { return shards_; }
  int64_t local_size() const;
  // The same cut of a buffer with one number for each `factor` of this one's, which divides kBlock.
  FlatSharding Coarser(int64_t factor) const;

  // The cut of numbers [begin, end), as a buffer of its own. Requires that no piece lies across.
  FlatSharding Within(int64_t begin, int64_t end) const;

  // What this rank owns of `whole` (one dimension), side by side, as a copy.
  at::Tensor TakeLocal(const at::Tensor& whole) const;
  // The reverse: puts `local` into its places in `whole`.
  void PutLocal(const at::Tensor& local, at::Tensor whole) const;
  // Each rank brings its own parts of `whole`, and all get all. All ranks together.
  absl::Status AllGather(Communicator& communicator, const at::Tensor& whole) const;

 private:
  FlatSharding(std::vector<Bucket> pieces, int ranks, int rank);

  int ranks_;
  int rank_;
  std::vector<Bucket> pieces_;
  std::vector<Bucket> shards_;
};

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_FLAT_SHARDING_H_
