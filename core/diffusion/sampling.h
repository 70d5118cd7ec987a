// Draws images by index: sample 17 of a seed is the same image in any batch, on any number of
// ranks.
//
// Images are computed in batches of a fixed size, aligned to multiples of it and padded, because
// the bits of a convolution can depend on the size of its batch. Samplers whose steps depend on the
// image compute each alone, for the same reason.
#ifndef LANGEVIN_CORE_DIFFUSION_SAMPLING_H_
#define LANGEVIN_CORE_DIFFUSION_SAMPLING_H_

#include <cstdint>
#include <functional>
#include <limits>
#include <optional>

#include "ATen/core/Tensor.h"
#include "core/diffusion/guidance.h"
#include "core/diffusion/sampler.h"
#include "core/model/network.h"

namespace langevin::diffusion {

// Images computed together.
constexpr int64_t kSamplingBatch = 16;

struct SamplingRequest {
  uint64_t seed = 0;
  // Of one image.
  int64_t channels = 0;
  int64_t height = 0;
  int64_t width = 0;
  // The class of sample i; not set for unconditional networks.
  std::function<int64_t(int64_t)> class_of;
  // Initial noise (count, C, H, W) in place of what the seed gives, for sample i at index i.
  // Undefined: by seed.
  at::Tensor initial_noise;
  // What the network's output means (FormulationFrom).
  Formulation formulation;
  // Away from `guide` with its own formulation, which must be of the same process, or where that is
  // not set from the network itself, told `null_class`. The guide gets the classes of class_of if
  // guide_has_classes.
  GuidanceOptions guidance;
  const model::Network* guide = nullptr;  // Not owned.
  Formulation guide_formulation;
  bool guide_has_classes = false;
  std::optional<int64_t> null_class;
  // Samples from here on are padding: adaptive samplers leave them zero.
  int64_t count = std::numeric_limits<int64_t>::max();
  // Hears of every evaluation of a network and how many images it was of. Called by this thread.
  std::function<void(int64_t images)> on_evaluation;
};

// Samples [kSamplingBatch * batch, kSamplingBatch * (batch + 1)): (kSamplingBatch, C, H, W), fp32,
// on the CPU, not clamped. Beyond the end of initial_noise, the padding is noise by seed.
at::Tensor SampleBatch(const model::Network& network, const at::Device& device,
                       const Sampler& sampler, const SamplingRequest& request, int64_t batch);

// How many batches hold `count` samples.
constexpr int64_t NumSamplingBatches(int64_t count) {
  return (count + kSamplingBatch - 1) / kSamplingBatch;
}

}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_SAMPLING_H_
