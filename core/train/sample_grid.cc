#include "core/train/sample_grid.h"

#include "ATen/ATen.h"
#include "core/base/status_macros.h"

namespace langevin::train {

absl::StatusOr<at::Tensor> SampleTogether(distributed::Communicator& communicator,
                                          const model::Network& network, const at::Device& device,
                                          const diffusion::Sampler& sampler,
                                          const diffusion::SamplingRequest& request, int64_t count,
                                          const std::function<void(int64_t, int64_t)>& on_batch) {
  const int64_t ranks = communicator.size();
  const int64_t batches = diffusion::NumSamplingBatches(count);
  const int64_t batches_per_rank = (batches + ranks - 1) / ranks;
  // Every rank has room for the same number of batches; those past the end stay zero.
  at::Tensor mine = at::zeros({batches_per_rank * diffusion::kSamplingBatch, request.channels,
                               request.height, request.width});
  for (int64_t i = 0; i < batches_per_rank; ++i) {
    const int64_t batch = communicator.rank() * batches_per_rank + i;
    if (batch >= batches) break;
    mine.narrow(0, i * diffusion::kSamplingBatch, diffusion::kSamplingBatch)
        .copy_(diffusion::SampleBatch(network, device, sampler, request, batch));
    if (on_batch) on_batch(i + 1, batches_per_rank);
  }
  if (ranks == 1) return mine.narrow(0, 0, count).contiguous();
  const at::Tensor on_device = mine.to(device).flatten();
  const at::Tensor all = at::empty({ranks * on_device.numel()}, on_device.options());
  LANGEVIN_RETURN_IF_ERROR(communicator.AllGather(all, on_device)->Wait());
  return all.to(at::kCPU)
      .view({-1, request.channels, request.height, request.width})
      .narrow(0, 0, count)
      .contiguous();
}

}  // namespace langevin::train
