#include "core/diffusion/sampling.h"

#include <algorithm>
#include <span>

#include "ATen/ATen.h"
#include "core/base/philox.h"

namespace langevin::diffusion {
namespace {

// Noise for the batch's images, image i from (seed, i, purpose, substream).
at::Tensor NoiseFor(const SamplingRequest& request, int64_t first, RandomPurpose purpose,
                    uint32_t substream) {
  at::Tensor noise =
      at::empty({kSamplingBatch, request.channels, request.height, request.width}, at::kFloat);
  const int64_t values = noise.numel() / kSamplingBatch;
  for (int64_t i = 0; i < kSamplingBatch; ++i) {
    RandomStream(request.seed, first + i, purpose, substream)
        .FillNormal(std::span<float>(noise.data_ptr<float>() + i * values, values));
  }
  return noise;
}

}  // namespace

at::Tensor SampleBatch(const model::Network& network, const at::Device& device,
                       const Sampler& sampler, const SamplingRequest& request, int64_t batch) {
  const at::NoGradGuard no_grad;
  const int64_t first = batch * kSamplingBatch;
  at::Tensor noise = NoiseFor(request, first, RandomPurpose::kInitialSample, 0);
  if (request.initial_noise.defined()) {
    const int64_t given = std::min(request.initial_noise.size(0) - first, kSamplingBatch);
    if (given > 0) {
      noise.narrow(0, 0, given).copy_(request.initial_noise.narrow(0, first, given));
    }
  }
  at::Tensor labels;
  if (request.class_of) {
    labels = at::empty({kSamplingBatch}, at::kLong);
    for (int64_t i = 0; i < kSamplingBatch; ++i) {
      labels.data_ptr<int64_t>()[i] = request.class_of(first + i);
    }
    labels = labels.to(device);
  }
  const model::ForwardContext context;
  const Predictor predictor = [&](const at::Tensor& sample, double timestep) {
    const at::Tensor timesteps =
        at::full({kSamplingBatch}, timestep, at::TensorOptions().dtype(at::kFloat).device(device));
    return network.Forward(sample, timesteps, labels, context);
  };
  const NoiseSource noise_source = [&](int64_t step) {
    return NoiseFor(request, first, RandomPurpose::kSamplerNoise, static_cast<uint32_t>(step))
        .to(device);
  };
  return sampler.Run(noise.to(device), predictor, noise_source).to(at::kCPU).contiguous();
}

}  // namespace langevin::diffusion
