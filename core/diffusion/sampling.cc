#include "core/diffusion/sampling.h"

#include <algorithm>
#include <span>
#include <utility>

#include "ATen/ATen.h"
#include "core/base/philox.h"

namespace langevin::diffusion {
namespace {

// Samples [first, first + size), which are computed together.
struct SampleRange {
  int64_t first = 0;
  int64_t size = 0;
};

// Noise for the range's images, image i from (seed, i, purpose, substream).
at::Tensor NoiseFor(const SamplingRequest& request, SampleRange range, RandomPurpose purpose,
                    uint32_t substream) {
  at::Tensor noise =
      at::empty({range.size, request.channels, request.height, request.width}, at::kFloat);
  const int64_t values = noise.numel() / range.size;
  for (int64_t i = 0; i < range.size; ++i) {
    RandomStream(request.seed, range.first + i, purpose, substream)
        .FillNormal(std::span<float>(noise.data_ptr<float>() + i * values, values));
  }
  return noise;
}

at::Tensor InitialNoise(const SamplingRequest& request, SampleRange range) {
  at::Tensor noise = NoiseFor(request, range, RandomPurpose::kInitialSample, 0);
  if (request.initial_noise.defined()) {
    const int64_t given = std::min(request.initial_noise.size(0) - range.first, range.size);
    if (given > 0) {
      noise.narrow(0, 0, given).copy_(request.initial_noise.narrow(0, range.first, given));
    }
  }
  return noise;
}

// `class_of` of the range's samples; undefined if that is not set.
at::Tensor Labels(const std::function<int64_t(int64_t)>& class_of, SampleRange range,
                  const at::Device& device) {
  if (!class_of) return {};
  at::Tensor labels = at::empty({range.size}, at::kLong);
  for (int64_t i = 0; i < range.size; ++i) {
    labels.data_ptr<int64_t>()[i] = class_of(range.first + i);
  }
  return labels.to(device);
}

Denoiser DenoiserOf(const model::Network& network, const Formulation& formulation,
                    const at::Tensor& labels, const SamplingRequest& request) {
  return MakeDenoiser(
      formulation, [&network, &request, labels](const at::Tensor& sample, double network_time) {
        const at::Tensor times = at::full({sample.size(0)}, network_time, sample.options());
        if (request.on_evaluation) request.on_evaluation(sample.size(0));
        return network.Forward(sample, times, labels, model::ForwardContext());
      });
}

at::Tensor SampleTogether(const model::Network& network, const at::Device& device,
                          const Sampler& sampler, const SamplingRequest& request,
                          SampleRange range) {
  const at::Tensor labels = Labels(request.class_of, range, device);
  Denoiser denoiser = DenoiserOf(network, request.formulation, labels, request);
  if (request.guidance.scale != 1) {
    Denoiser reference;
    if (request.guide != nullptr) {
      reference = DenoiserOf(*request.guide, request.guide_formulation,
                             request.guide_has_classes ? labels : at::Tensor(), request);
    } else {
      const at::Tensor null_labels =
          at::full({range.size}, *request.null_class, at::TensorOptions(at::kLong).device(device));
      reference = DenoiserOf(network, request.formulation, null_labels, request);
    }
    denoiser = Guide(std::move(denoiser), std::move(reference), request.guidance);
  }
  const NoiseSource noise_source = [&](int64_t draw) {
    return NoiseFor(request, range, RandomPurpose::kSamplerNoise, static_cast<uint32_t>(draw))
        .to(device);
  };
  return sampler.Run(InitialNoise(request, range).to(device), denoiser, noise_source)
      .to(at::kCPU)
      .contiguous();
}

}  // namespace

at::Tensor SampleBatch(const model::Network& network, const at::Device& device,
                       const Sampler& sampler, const SamplingRequest& request, int64_t batch) {
  const at::NoGradGuard no_grad;
  const int64_t first = batch * kSamplingBatch;
  if (!sampler.is_adaptive()) {
    return SampleTogether(network, device, sampler, request, {first, kSamplingBatch});
  }
  at::Tensor samples = at::zeros({kSamplingBatch, request.channels, request.height, request.width});
  for (int64_t i = 0; i < kSamplingBatch && first + i < request.count; ++i) {
    samples.narrow(0, i, 1).copy_(
        SampleTogether(network, device, sampler, request, {first + i, 1}));
  }
  return samples;
}

}  // namespace langevin::diffusion
