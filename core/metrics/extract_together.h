// Features of many images, computed by all ranks together.
#ifndef LANGEVIN_CORE_METRICS_EXTRACT_TOGETHER_H_
#define LANGEVIN_CORE_METRICS_EXTRACT_TOGETHER_H_

#include <cstdint>
#include <functional>
#include <span>

#include "ATen/core/Tensor.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/metrics/features.h"
#include "distributed/communicator.h"

namespace langevin::metrics {

// Fills `image` (C, H, W) with image `index`, in the model's range.
using ImageSource = std::function<absl::Status(int64_t index, std::span<float> image)>;

// Features of images 0 to count - 1, at least one. Called by all ranks together; rank 0 alone gets
// them (the others' tensors have no rows), so that the memory of all N x D is needed once. Batches
// go round the ranks, always kFeatureBatch images at places that depend on the count alone: the
// same bits for any number of ranks. `device`: the communicator's. `on_images`, if set, hears after
// each round how many are done.
absl::StatusOr<Features> ExtractTogether(distributed::Communicator& communicator,
                                         const FeatureExtractor& extractor, const ImageSize& size,
                                         const at::Device& device, int64_t count,
                                         const ImageSource& source,
                                         const std::function<void(int64_t done)>& on_images = {});

}  // namespace langevin::metrics

#endif  // LANGEVIN_CORE_METRICS_EXTRACT_TOGETHER_H_
