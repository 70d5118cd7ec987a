#include "core/train/backward_observer.h"

#include <memory>
#include <utility>

#include "torch/csrc/autograd/function_hook.h"
#include "torch/csrc/autograd/variable.h"

namespace langevin::train {

// Called by autograd when a parameter's gradient is in its place in the buffer: once a pass, also
// where the parameter is used more than once.
class BackwardObserver::Hook : public torch::autograd::PostAccumulateGradHook {
 public:
  Hook(BackwardObserver& observer, size_t bucket) : observer_(observer), bucket_(bucket) {}
  void operator()(const at::Tensor&) override { observer_.OnGradient(bucket_); }

 private:
  BackwardObserver& observer_;
  const size_t bucket_;
};

BackwardObserver::BackwardObserver(model::ParameterStore& store,
                                   std::vector<distributed::Bucket> buckets,
                                   std::function<void(int64_t bucket)> on_bucket)
    : store_(store), on_bucket_(std::move(on_bucket)), expected_(buckets.size()) {
  for (const model::Parameter& parameter : store_.parameters()) {
    if (!parameter.trainable) continue;
    // A parameter across a boundary holds up the bucket that leaves first: that of its end.
    const int64_t last = parameter.offset + parameter.numel - 1;
    size_t bucket = 0;
    while (last < buckets[bucket].begin || last >= buckets[bucket].end) ++bucket;
    ++expected_[bucket];
    torch::autograd::impl::set_post_acc_grad_hooks(parameter.weight,
                                                   std::make_unique<Hook>(*this, bucket));
  }
}

BackwardObserver::~BackwardObserver() {
  for (const model::Parameter& parameter : store_.parameters()) {
    if (!parameter.trainable) continue;
    torch::autograd::impl::set_post_acc_grad_hooks(parameter.weight, nullptr);
  }
}

void BackwardObserver::Arm() {
  missing_ = expected_;
  next_ = 0;
  armed_ = true;
}

void BackwardObserver::OnGradient(size_t bucket) {
  if (!armed_) return;
  --missing_[bucket];
  while (next_ < missing_.size() && missing_[next_] == 0) on_bucket_(static_cast<int64_t>(next_++));
}

}  // namespace langevin::train
