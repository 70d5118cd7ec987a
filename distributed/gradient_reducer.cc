#include "distributed/gradient_reducer.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <utility>

#include "ATen/ops/add.h"
#include "ATen/ops/empty.h"
#include "ATen/ops/empty_like.h"
#include "ATen/ops/zeros.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "distributed/torch_errors.h"

namespace langevin::distributed {
namespace {

// A piece of the gradient that is exchanged at once: small enough that what was received is still
// in the cache when it is summed, or, on devices, large enough to fill the links.
int64_t PieceElements(const at::Tensor& gradient) {
  return gradient.is_cpu() ? int64_t{2} << 18 : int64_t{32} << 18;
}

at::Tensor AddInPlace(at::Tensor left, at::Tensor right) { return left.add_(right); }

}  // namespace

GradientReducer::GradientReducer(Communicator& communicator, Reduction kind,
                                 int64_t microbatches_total)
    : communicator_(communicator), kind_(kind), microbatches_total_(microbatches_total) {
  const int64_t ranks = communicator.size();
  const int64_t length = microbatches_total / ranks;
  for (int64_t rank = 0; rank < ranks; ++rank) {
    runs_.push_back({rank * length, (rank + 1) * length});
    const std::vector<TreeNode> nodes = CoveringNodes(microbatches_total, runs_.back());
    first_part_.push_back(static_cast<int64_t>(parts_.size()));
    parts_.insert(parts_.end(), nodes.begin(), nodes.end());
    most_parts_ = std::max(most_parts_, static_cast<int64_t>(nodes.size()));
  }
  first_part_.push_back(static_cast<int64_t>(parts_.size()));
}

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
      gradient.scalar_type() != at::kFloat ||
      (!sums_.empty() && sums_[0].numel() != gradient.numel())) {
    return absl::InternalError("a gradient must be flat float32 of the same length every time");
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
    if (buffer.numel() == like.numel() && buffer.device() == like.device()) return buffer;
  }
  return at::empty_like(like);
}

absl::Status GradientReducer::Accumulate(at::Tensor flat_gradient) {
  LANGEVIN_RETURN_IF_ERROR(CheckGradient(flat_gradient));
  return CatchTorchErrors("summing gradients", [&] {
    const bool is_last = next_ + 1 == local_run().size();
    const int64_t completed = CompletedSums();
    at::Tensor sum = flat_gradient;
    bool is_callers = true;  // Whether `sum` is the caller's tensor.
    for (int64_t i = 0; i < completed; ++i) {
      at::Tensor before = std::move(sums_.back());
      sums_.pop_back();
      // The last sum belongs into the caller's tensor, any other must leave it. Which of the two is
      // added to the other makes no difference to the bits.
      if (is_callers && !is_last) {
        sum = before.add_(sum);
        is_callers = false;
      } else {
        sum.add_(before);
        spare_.push_back(std::move(before));
      }
    }
    if (is_callers && !is_last) sum = TakeSpare(flat_gradient).copy_(flat_gradient);
    sums_.push_back(std::move(sum));
    ++next_;
    return absl::OkStatus();
  });
}

absl::StatusOr<at::Tensor> GradientReducer::Finish() {
  if (next_ != local_run().size() || sums_.empty()) {
    return absl::InternalError(
        absl::StrCat("reduction after ", next_, " of ", local_run().size(), " microbatches"));
  }
  const at::Tensor result = sums_.back();
  LANGEVIN_RETURN_IF_ERROR(CatchTorchErrors("reducing gradients", [&]() -> absl::Status {
    if (communicator_.size() == 1) return absl::OkStatus();
    if (kind_ == Reduction::kFast) return communicator_.AllReduce(result)->Wait();
    return ReduceOrdered(result);
  }));
  sums_.pop_back();
  std::move(sums_.begin(), sums_.end(), std::back_inserter(spare_));
  sums_.clear();
  next_ = 0;
  return result;
}

absl::Status GradientReducer::ReduceOrdered(const at::Tensor& result) {
  // What all-to-all can cut into equal shards, and the few numbers that are left.
  const int64_t body = result.numel() / communicator_.size() * communicator_.size();
  LANGEVIN_RETURN_IF_ERROR(ReduceBody(result, body));
  return ReduceTail(result, body);
}

absl::Status GradientReducer::ReduceBody(const at::Tensor& result, int64_t body) {
  const int64_t ranks = communicator_.size();
  const int64_t piece = std::max<int64_t>(PieceElements(result) / ranks, 1) * ranks;
  const int64_t pieces = (body + piece - 1) / piece;
  const auto length_of = [&](int64_t index) { return std::min(piece, body - index * piece); };
  const int64_t own_parts = static_cast<int64_t>(sums_.size());

  std::array<std::vector<std::unique_ptr<Work>>, 2> scatters;
  const auto scatter = [&](int64_t index) {
    const int64_t length = length_of(index);
    at::Tensor& received = received_[index % 2];
    if (!received.defined() || received.numel() < most_parts_ * length) {
      received = at::empty({most_parts_ * length}, result.options());
    }
    for (int64_t part = 0; part < most_parts_; ++part) {
      // Ranks with fewer parts than others send something that nobody looks at.
      const at::Tensor& sent = sums_[std::min(part, own_parts - 1)];
      scatters[index % 2].push_back(communicator_.AllToAll(
          received.narrow(0, part * length, length), sent.narrow(0, index * piece, length)));
    }
  };

  std::vector<std::unique_ptr<Work>> gathers;
  for (int64_t index = 0; index < std::min<int64_t>(2, pieces); ++index) scatter(index);
  for (int64_t index = 0; index < pieces; ++index) {
    for (const std::unique_ptr<Work>& work : scatters[index % 2]) {
      LANGEVIN_RETURN_IF_ERROR(work->Wait());
    }
    scatters[index % 2].clear();
    const int64_t length = length_of(index);
    const int64_t shard = length / ranks;
    const at::Tensor whole = result.narrow(0, index * piece, length);
    at::Tensor own = whole.narrow(0, communicator_.rank() * shard, shard);
    int64_t rank = 0;
    const auto take = [&](int64_t part) {
      while (first_part_[rank + 1] <= part) ++rank;
      const int64_t place = part - first_part_[rank];
      return received_[index % 2].narrow(0, place * length + rank * shard, shard);
    };
    SumOverTree<at::Tensor>(parts_, take, [&](at::Tensor left, at::Tensor right, bool is_root) {
      return is_root ? at::add_out(own, left, right) : AddInPlace(left, right);
    });
    gathers.push_back(communicator_.AllGather(whole, own));
    if (index + 2 < pieces) scatter(index + 2);
  }
  for (const std::unique_ptr<Work>& work : gathers) LANGEVIN_RETURN_IF_ERROR(work->Wait());
  return absl::OkStatus();
}

absl::Status GradientReducer::ReduceTail(const at::Tensor& result, int64_t body) {
  const int64_t length = result.numel() - body;
  if (length == 0) return absl::OkStatus();
  at::Tensor own = at::zeros({most_parts_, length}, result.options());
  for (size_t part = 0; part < sums_.size(); ++part) {
    own[static_cast<int64_t>(part)].copy_(sums_[part].narrow(0, body, length));
  }
  const at::Tensor all = at::empty({communicator_.size(), most_parts_, length}, result.options());
  LANGEVIN_RETURN_IF_ERROR(communicator_.AllGather(all, own)->Wait());
  int64_t rank = 0;
  const auto take = [&](int64_t part) {
    while (first_part_[rank + 1] <= part) ++rank;
    return all[rank][part - first_part_[rank]];
  };
  result.narrow(0, body, length)
      .copy_(SumOverTree<at::Tensor>(parts_, take, [](at::Tensor left, at::Tensor right, bool) {
        return AddInPlace(left, right);
      }));
  return absl::OkStatus();
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
