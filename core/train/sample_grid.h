// Images drawn by all ranks together: each computes its share of the batches, and all get the
// result.
#ifndef LANGEVIN_CORE_TRAIN_SAMPLE_GRID_H_
#define LANGEVIN_CORE_TRAIN_SAMPLE_GRID_H_

#include <cstdint>
#include <functional>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "core/diffusion/sampling.h"
#include "distributed/communicator.h"

namespace langevin::train {

// Samples 0 to count - 1: (count, C, H, W), fp32, on the CPU; the same on all ranks and for any
// number of them. Called by all ranks together. `on_batch`, if set, hears how many of this rank's
// batches are done, out of how many.
absl::StatusOr<at::Tensor> SampleTogether(
    distributed::Communicator& communicator, const model::Network& network,
    const at::Device& device, const diffusion::Sampler& sampler,
    const diffusion::SamplingRequest& request, int64_t count,
    const std::function<void(int64_t, int64_t)>& on_batch = {});

}  // namespace langevin::train

#endif  // LANGEVIN_CORE_TRAIN_SAMPLE_GRID_H_
