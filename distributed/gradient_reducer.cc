#include "distributed/gradient_reducer.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "ATen/core/grad_mode.h"
#include "ATen/ops/add.h"
#include "ATen/ops/empty.h"
#include "ATen/ops/empty_like.h"
#include "ATen/ops/zeros.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "distributed/torch_errors.h"

namespace langevin::distributed {
namespace {

at::Tensor AddInPlace(at::Tensor left, at::Tensor right) { return left.add_(right); }

}  // namespace

// Which parts of the tree the ranks send each other.
struct GradientReducer::Layout {
  std::vector<TreeNode> parts;      // Of all ranks, in order.
  std::vector<int64_t> first_part;  // By rank: where its parts begin.
  int64_t most_parts = 1;           // That any rank has.

  // The sum of the tree, into `out`, where take(rank, i) gives the i-th part of `rank`.
  template <typename Take>
  void Sum(at::Tensor out, Take&& take) const {
    int64_t rank = 0;
    const auto take_part = [&](int64_t part) {
      while (first_part[rank + 1] <= part) ++rank;
      return take(rank, part - first_part[rank]);
    };
    SumOverTree<at::Tensor>(parts, take_part, [&](at::Tensor left, at::Tensor right, bool is_root) {
      return is_root ? at::add_out(out, left, right) : AddInPlace(left, right);
    });
  }
};

GradientReducer::GradientReducer(Communicator& communicator, Reduction kind,
                                 int64_t microbatches_total, std::vector<Bucket> buckets,
                                 std::shared_ptr<const FlatSharding> sharding)
    : communicator_(communicator),
      kind_(kind),
      microbatches_total_(microbatches_total),
      one_bucket_(buckets.empty()),
      sharding_(std::move(sharding)),
      buckets_(std::move(buckets)) {
  Layout layout;
  const int64_t ranks = communicator.size();
  const int64_t length = microbatches_total / ranks;
  for (int64_t rank = 0; rank < ranks; ++rank) {
    runs_.push_back({rank * length, (rank + 1) * length});
    const std::vector<TreeNode> nodes = CoveringNodes(microbatches_total, runs_.back());
    layout.first_part.push_back(static_cast<int64_t>(layout.parts.size()));
    layout.parts.insert(layout.parts.end(), nodes.begin(), nodes.end());
    layout.most_parts = std::max(layout.most_parts, static_cast<int64_t>(nodes.size()));
  }
  layout.first_part.push_back(static_cast<int64_t>(layout.parts.size()));
  layout_ = std::make_shared<const Layout>(std::move(layout));
}

GradientReducer::~GradientReducer() = default;

absl::Status GradientReducer::CheckGradient(const at::Tensor& gradient) const {
  if (microbatches_total_ < 1 || microbatches_total_ % communicator_.size() != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat(microbatches_total_, " microbatches cannot be spread evenly over ",
                     communicator_.size(), " ranks; use a number of ranks that divides them"));
  }
  if (next_ >= local_run().size()) {
    return absl::InternalError("gradient of a microbatch that this rank does not handle");
  }
  if (!gradient.defined() || gradient.dim() != 1 || !gradient.is_contiguous() ||
      (gradient.scalar_type() != at::kFloat && gradient.scalar_type() != at::kBFloat16) ||
      (!sums_.empty() && (sums_[0].numel() != gradient.numel() ||
                          sums_[0].scalar_type() != gradient.scalar_type()))) {
    return absl::InternalError(
        "a gradient must be flat float32 or bfloat16 of the same length every time");
  }
  return absl::OkStatus();
}

int64_t GradientReducer::CompletedSums() const {
  const int64_t depth = static_cast<int64_t>(sums_.size());
  if (kind_ == Reduction::kFast) return depth;
  const int64_t begin = local_run().begin;
  const std::vector<TreeNode> nodes =
      CoveringNodes(microbatches_total_, {begin, begin + next_ + 1});
  return depth + 1 - static_cast<int64_t>(nodes.size());
}

at::Tensor GradientReducer::TakeSpare(const at::Tensor& like) {
  while (!spare_.empty()) {
    at::Tensor buffer = std::move(spare_.back());
    spare_.pop_back();
    if (buffer.numel() == like.numel() && buffer.options().type_equal(like.options())) {
      return buffer;
    }
  }
  return at::empty_like(like);
}

absl::Status GradientReducer::Accumulate(at::Tensor flat_gradient) {
  if (next_is_last()) return BeginLast(std::move(flat_gradient));
  LANGEVIN_RETURN_IF_ERROR(CheckGradient(flat_gradient));
  return CatchTorchErrors("summing gradients", [&] {
    at::Tensor sum = flat_gradient;
    bool is_callers = true;  // Whether `sum` is the caller's tensor.
    for (int64_t i = CompletedSums(); i > 0; --i) {
      at::Tensor before = std::move(sums_.back());
      sums_.pop_back();
      // Which of the two is added to the other makes no difference to the bits.
      if (is_callers) {
        sum = before.add_(sum);
        is_callers = false;
      } else {
        sum.add_(before);
        spare_.push_back(std::move(before));
      }
    }
    if (is_callers) sum = TakeSpare(flat_gradient).copy_(flat_gradient);
    sums_.push_back(std::move(sum));
    ++next_;
    return absl::OkStatus();
  });
}

absl::Status GradientReducer::BeginLast(at::Tensor flat_gradient) {
  LANGEVIN_RETURN_IF_ERROR(CheckGradient(flat_gradient));
  if (!next_is_last()) return absl::InternalError("this microbatch is not the last of the run");
  if (one_bucket_) buckets_ = {{0, flat_gradient.numel()}};
  int64_t covered = 0;
  for (const Bucket& bucket : buckets_) covered += bucket.size();
  if (covered != flat_gradient.numel()) {
    return absl::InternalError(absl::StrCat("the buckets hold ", covered, " numbers, the gradient ",
                                            flat_gradient.numel()));
  }
  const int64_t completed = CompletedSums();
  for (int64_t i = 0; i < completed; ++i) {
    completed_.push_back(std::move(sums_.back()));
    sums_.pop_back();
  }
  result_ = flat_gradient;
  sums_.push_back(std::move(flat_gradient));
  ++next_;
  return absl::OkStatus();
}

absl::Status GradientReducer::FinishNextBucket() {
  if (!result_.defined() || next_bucket_ >= buckets_.size()) {
    return absl::InternalError("there is no bucket left to finish");
  }
  return CatchTorchErrors("reducing gradients", [&] {
    const Bucket bucket = buckets_[next_bucket_++];
    at::Tensor part = result_.narrow(0, bucket.begin, bucket.size());
    for (const at::Tensor& sum : completed_) {
      part.add_(sum.narrow(0, bucket.begin, bucket.size()));
    }
    if (communicator_.size() == 1) return absl::OkStatus();
    if (kind_ == Reduction::kFast && sharding_ == nullptr) {
      works_.push_back(communicator_.AllReduce(part));
    } else {
      QueueBucket(bucket);
    }
    return absl::OkStatus();
  });
}

absl::StatusOr<at::Tensor> GradientReducer::Finish() {
  if (next_ != local_run().size() || !result_.defined()) {
    return absl::InternalError(
        absl::StrCat("reduction after ", next_, " of ", local_run().size(), " microbatches"));
  }
  while (next_bucket_ < buckets_.size()) LANGEVIN_RETURN_IF_ERROR(FinishNextBucket());
  for (const std::unique_ptr<Work>& work : works_) LANGEVIN_RETURN_IF_ERROR(work->Wait());
  works_.clear();
  sums_.pop_back();  // The caller's.
  for (std::vector<at::Tensor>* buffers : {&sums_, &completed_}) {
    std::move(buffers->begin(), buffers->end(), std::back_inserter(spare_));
    buffers->clear();
  }
  next_ = 0;
  next_bucket_ = 0;
  return std::exchange(result_, at::Tensor());
}

std::vector<Bucket> GradientReducer::PiecesOf(const Bucket& bucket) const {
  std::vector<Bucket> pieces;
  if (sharding_ != nullptr) {
    for (const Bucket& piece : sharding_->pieces()) {
      if (piece.begin >= bucket.begin && piece.begin < bucket.end) pieces.push_back(piece);
    }
    return pieces;
  }
  const int64_t ranks = communicator_.size();
  const int64_t body_end = bucket.begin + bucket.size() / ranks * ranks;
  const int64_t length = std::max<int64_t>(PieceElements(result_.device()) / ranks, 1) * ranks;
  for (int64_t begin = bucket.begin; begin < body_end; begin += length) {
    pieces.push_back({begin, std::min(begin + length, body_end)});
  }
  return pieces;
}

void GradientReducer::QueueBucket(const Bucket& bucket) {
  int64_t end = bucket.begin;
  for (const Bucket& piece : PiecesOf(bucket)) {
    if (kind_ == Reduction::kFast) {
      QueueScattered(piece);
    } else {
      QueueOrdered(piece);
    }
    end = piece.end;
  }
  if (end < bucket.end) QueueRest(end, bucket.end - end);
}

void GradientReducer::QueueOrdered(const Bucket& piece) {
  const int64_t length = piece.size();
  const int64_t shard = length / communicator_.size();
  const int64_t own_parts = static_cast<int64_t>(sums_.size());
  if (!received_.defined() || received_.numel() < layout_->most_parts * length ||
      received_.scalar_type() != result_.scalar_type()) {
    received_ = at::empty({layout_->most_parts * length}, result_.options());
  }
  for (int64_t part = 0; part < layout_->most_parts; ++part) {
    // Ranks with fewer parts than others send something that nobody looks at.
    const at::Tensor& sent = sums_[std::min(part, own_parts - 1)];
    works_.push_back(communicator_.AllToAll(received_.narrow(0, part * length, length),
                                            sent.narrow(0, piece.begin, length)));
  }
  const at::Tensor whole = result_.narrow(0, piece.begin, length);
  const at::Tensor own = whole.narrow(0, communicator_.rank() * shard, shard);
  works_.push_back(
      communicator_.Enqueue([layout = layout_, received = received_, own, length, shard] {
        return CatchTorchErrors("summing shards", [&] {
          const at::NoGradGuard no_grad;
          layout->Sum(own, [&](int64_t rank, int64_t part) {
            return received.narrow(0, part * length + rank * shard, shard);
          });
          return absl::OkStatus();
        });
      }));
  if (sharding_ == nullptr) works_.push_back(communicator_.AllGather(whole, own));
}

void GradientReducer::QueueScattered(const Bucket& piece) {
  const Bucket own = sharding_->ShardOf(piece);
  works_.push_back(communicator_.ReduceScatter(result_.narrow(0, own.begin, own.size()),
                                               result_.narrow(0, piece.begin, piece.size())));
}

void GradientReducer::QueueRest(int64_t begin, int64_t length) {
  const at::Tensor own = at::zeros({layout_->most_parts, length}, result_.options());
  for (size_t part = 0; part < sums_.size(); ++part) {
    own[static_cast<int64_t>(part)].copy_(sums_[part].narrow(0, begin, length));
  }
  const at::Tensor all =
      at::empty({communicator_.size(), layout_->most_parts, length}, result_.options());
  works_.push_back(communicator_.AllGather(all, own));
  works_.push_back(
      communicator_.Enqueue([layout = layout_, all, out = result_.narrow(0, begin, length)] {
        return CatchTorchErrors("summing shards", [&] {
          const at::NoGradGuard no_grad;
          layout->Sum(out, [&](int64_t rank, int64_t part) { return all[rank][part]; });
          return absl::OkStatus();
        });
      }));
}

absl::StatusOr<at::Tensor> TreeSum(Communicator& communicator, int64_t microbatches_total,
                                   const at::Tensor& local) {
  const int64_t ranks = communicator.size();
  if (!local.defined() || local.dim() != 2 || !local.is_contiguous() ||
      local.size(0) * ranks != microbatches_total) {
    return absl::InternalError(absl::StrCat("TreeSum needs one row for each of this rank's ",
                                            microbatches_total / ranks, " microbatches"));
  }
  at::Tensor sum;
  LANGEVIN_RETURN_IF_ERROR(CatchTorchErrors("summing over microbatches", [&]() -> absl::Status {
    at::Tensor all = at::empty({microbatches_total, local.size(1)}, local.options());
    if (ranks == 1) {
      all.copy_(local);
    } else {
      LANGEVIN_RETURN_IF_ERROR(communicator.AllGather(all, local)->Wait());
    }
    std::vector<TreeNode> leaves;
    for (int64_t i = 0; i < microbatches_total; ++i) leaves.push_back({i, i + 1});
    sum = SumOverTree<at::Tensor>(
        leaves, [&](size_t i) { return all[static_cast<int64_t>(i)]; },
        [](at::Tensor left, at::Tensor right, bool) { return AddInPlace(left, right); });
    return absl::OkStatus();
  }));
  return sum;
}

}  // namespace langevin::distributed
