#include "distributed/flat_sharding.h"

#include <algorithm>
#include <cassert>
#include <memory>
#include <utility>

#include "ATen/ops/cat.h"
#include "core/base/status_macros.h"

namespace langevin::distributed {
namespace {

std::vector<Bucket> CutIntoPieces(const std::vector<Bucket>& buckets, int ranks,
                                  int64_t piece_size) {
  const int64_t unit = ranks * FlatSharding::kBlock;
  const int64_t length = std::max<int64_t>(piece_size / unit, 1) * unit;
  std::vector<Bucket> pieces;
  for (const Bucket& bucket : buckets) {
    for (int64_t begin = bucket.begin; begin < bucket.end; begin += length) {
      pieces.push_back({begin, std::min(begin + length, bucket.end)});
    }
  }
  return pieces;
}

}  // namespace

std::vector<Bucket> CutIntoBuckets(const std::vector<int64_t>& offsets, int64_t size,
                                   int64_t first_size, int64_t bucket_size, int64_t unit) {
  std::vector<Bucket> buckets;
  int64_t end = size;
  for (auto offset = offsets.rbegin(); offset != offsets.rend(); ++offset) {
    const int64_t wanted = buckets.empty() ? first_size : bucket_size;
    // Numbers below the rounded boundary go with the next bucket, which is complete later.
    const int64_t begin = (*offset + unit - 1) / unit * unit;
    if ((end - begin < wanted && begin > 0) || begin >= end) continue;
    buckets.push_back({begin, end});
    end = begin;
  }
  return buckets;
}

int64_t PieceElements(at::Device device) {
  return device.is_cpu() ? int64_t{2} << 18 : int64_t{32} << 18;
}

FlatSharding::FlatSharding(const std::vector<Bucket>& buckets, int ranks, int rank,
                           int64_t piece_size)
    : FlatSharding(CutIntoPieces(buckets, ranks, piece_size), ranks, rank) {}

FlatSharding::FlatSharding(std::vector<Bucket> pieces, int ranks, int rank)
    : ranks_(ranks), rank_(rank), pieces_(std::move(pieces)) {
  shards_.reserve(pieces_.size());
  for (const Bucket& piece : pieces_) shards_.push_back(ShardOf(piece));
}

Bucket FlatSharding::ShardOf(const Bucket& piece) const {
  const int64_t shard = piece.size() / ranks_;
  return {piece.begin + rank_ * shard, piece.begin + (rank_ + 1) * shard};
}

int64_t FlatSharding::local_size() const {
  int64_t size = 0;
  for (const Bucket& shard : shards_) size += shard.size();
  return size;
}

FlatSharding FlatSharding::Coarser(int64_t factor) const {
  std::vector<Bucket> pieces;
  pieces.reserve(pieces_.size());
  for (const Bucket& piece : pieces_) pieces.push_back({piece.begin / factor, piece.end / factor});
  return FlatSharding(std::move(pieces), ranks_, rank_);
}

FlatSharding FlatSharding::Within(int64_t begin, int64_t end) const {
  std::vector<Bucket> pieces;
  for (const Bucket& piece : pieces_) {
    if (piece.begin < begin || piece.begin >= end) continue;
    assert(piece.end <= end);
    pieces.push_back({piece.begin - begin, piece.end - begin});
  }
  return FlatSharding(std::move(pieces), ranks_, rank_);
}

at::Tensor FlatSharding::TakeLocal(const at::Tensor& whole) const {
  std::vector<at::Tensor> parts;
  for (const Bucket& shard : shards_) parts.push_back(whole.narrow(0, shard.begin, shard.size()));
  return at::cat(parts);
}

void FlatSharding::PutLocal(const at::Tensor& local, at::Tensor whole) const {
  int64_t place = 0;
  for (const Bucket& shard : shards_) {
    whole.narrow(0, shard.begin, shard.size()).copy_(local.narrow(0, place, shard.size()));
    place += shard.size();
  }
}

absl::Status FlatSharding::AllGather(Communicator& communicator, const at::Tensor& whole) const {
  if (ranks_ == 1) return absl::OkStatus();
  std::vector<std::unique_ptr<Work>> works;
  for (const Bucket& piece : pieces_) {
    const Bucket own = ShardOf(piece);
    works.push_back(communicator.AllGather(whole.narrow(0, piece.begin, piece.size()),
                                           whole.narrow(0, own.begin, own.size())));
  }
  for (const std::unique_ptr<Work>& work : works) LANGEVIN_RETURN_IF_ERROR(work->Wait());
  return absl::OkStatus();
}

}  // namespace langevin::distributed
