#include "core/train/gradient_exchange.h"

#include <vector>

#include "ATen/ops/empty.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace langevin::train {
namespace {

constexpr int64_t kFirstBucket = (int64_t{1} << 20) / 4;
constexpr int64_t kBucket = (int64_t{25} << 20) / 4;

distributed::Reduction ReductionOf(const configs::DistributedConfig& config) {
  return config.reduction == configs::Reduction::kFast ? distributed::Reduction::kFast
                                                       : distributed::Reduction::kOrdered;
}

}  // namespace

int64_t TrainableMultiple(int ranks) { return ranks * distributed::FlatSharding::kBlock; }

std::vector<distributed::Bucket> BucketsOf(const model::ParameterStore& store, int ranks) {
  const int64_t unit =
      store.trainable_size() % TrainableMultiple(ranks) == 0 ? TrainableMultiple(ranks) : 1;
  // No bucket lies across the border between weights of bf16 and of fp32 computation.
  std::vector<distributed::Bucket> buckets;
  int64_t end = store.trainable_size();
  for (const int64_t begin : {store.bf16_begin() < end ? store.bf16_begin() : 0, int64_t{0}}) {
    std::vector<int64_t> offsets;
    for (const model::Parameter& parameter : store.parameters()) {
      if (parameter.trainable && parameter.offset >= begin && parameter.offset < end) {
        offsets.push_back(parameter.offset - begin);
      }
    }
    for (const distributed::Bucket& bucket : distributed::CutIntoBuckets(
             offsets, end - begin, buckets.empty() ? kFirstBucket : kBucket, kBucket, unit)) {
      buckets.push_back({bucket.begin + begin, bucket.end + begin});
    }
    end = begin;
  }
  return buckets;
}

absl::StatusOr<std::shared_ptr<const distributed::FlatSharding>> ShardingFor(
    const model::ParameterStore& store, int zero_stage,
    const distributed::Communicator& communicator) {
  if (zero_stage == 0) return nullptr;
  const int64_t multiple = TrainableMultiple(communicator.size());
  if (store.trainable_size() % multiple != 0 || store.bf16_begin() % multiple != 0) {
    return absl::InternalError(absl::StrCat("the weights' buffer, with ", store.trainable_size(),
                                            " numbers, cannot be sliced over ", communicator.size(),
                                            " ranks: its parts must be multiples of ", multiple));
  }
  return std::make_shared<const distributed::FlatSharding>(
      BucketsOf(store, communicator.size()), communicator.size(), communicator.rank(),
      distributed::PieceElements(store.device()));
}

GradientExchange::GradientExchange(distributed::Communicator& communicator,
                                   model::ParameterStore& store,
                                   const configs::DistributedConfig& config, int64_t microbatches,
                                   std::shared_ptr<const distributed::FlatSharding> sharding)
    : store_(store),
      reducer_(communicator, ReductionOf(config), microbatches,
               BucketsOf(store, communicator.size()), std::move(sharding)),
      wire_(store.gradient()),
      observer_(store, reducer_.buckets(), [this](int64_t bucket) { FinishBucket(bucket); }),
      overlaps_(config.overlap.value_or(communicator.advises_overlap())) {
  if (config.gradient_precision == configs::Precision::kBf16) {
    wire_ = at::empty({store.trainable_size()}, store.gradient().options().dtype(at::kBFloat16));
  }
}

absl::Status GradientExchange::BeforeBackward() {
  store_.ZeroGradients();
  status_ = absl::OkStatus();
  buckets_left_ = 0;
  is_last_ = reducer_.next_is_last();
  if (!is_last_) return absl::OkStatus();
  if (overlaps_) observer_.Arm();
  return reducer_.BeginLast(wire_);
}

void GradientExchange::FinishBucket(int64_t index) {
  const distributed::Bucket& bucket = reducer_.buckets()[index];
  CopyToWire(bucket.begin, bucket.end);
  status_.Update(reducer_.FinishNextBucket());
  ++buckets_left_;
}

void GradientExchange::CopyToWire(int64_t begin, int64_t end) {
  store_.CollectGradients(begin, end);
  if (wire_.is_same(store_.gradient())) return;
  wire_.narrow(0, begin, end - begin).copy_(store_.gradient().narrow(0, begin, end - begin));
}

absl::Status GradientExchange::AfterBackward() {
  if (!is_last_) {
    CopyToWire(0, store_.trainable_size());
    return reducer_.Accumulate(wire_);
  }
  observer_.Disarm();
  // All of them, or those with parameters that this loss does not depend on: their gradient is
  // zero.
  while (buckets_left_ < static_cast<int64_t>(reducer_.buckets().size())) {
    FinishBucket(buckets_left_);
  }
  return status_;
}

absl::StatusOr<at::Tensor> GradientExchange::Finish() {
  LANGEVIN_ASSIGN_OR_RETURN(const at::Tensor sum, reducer_.Finish());
  if (wire_.is_same(store_.gradient())) return sum;
  at::Tensor gradient = store_.gradient();
  return gradient.copy_(sum);
}

}  // namespace langevin::train
