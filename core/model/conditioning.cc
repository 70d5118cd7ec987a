#include "core/model/conditioning.h"

#include "ATen/ATen.h"
#include "core/base/philox.h"

namespace langevin::model {

at::Tensor DropLabels(const at::Tensor& labels, double rate, int64_t null_label,
                      const ForwardContext& context) {
  if (!context.training || rate == 0) return labels;
  const at::Tensor dropped = labels.to(at::kCPU, at::kLong, /*non_blocking=*/false, /*copy=*/true);
  for (int64_t i = 0; i < dropped.numel(); ++i) {
    const RandomStream stream(context.seed, context.first_position + i, RandomPurpose::kLabelDrop);
    if (stream.Uniform(0) < rate) dropped.data_ptr<int64_t>()[i] = null_label;
  }
  return dropped.to(labels.device());
}

}  // namespace langevin::model
