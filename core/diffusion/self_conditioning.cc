#include "core/diffusion/self_conditioning.h"

#include "ATen/ATen.h"
#include "core/base/philox.h"

namespace langevin::diffusion {
namespace {

constexpr float kShare = 0.5;  // Of images that see an estimate in training.

}  // namespace

at::Tensor WithEstimate(const at::Tensor& sample, const at::Tensor& estimate) {
  return at::cat(
      {sample, estimate.defined() ? estimate.clamp(-1, 1).to(sample) : at::zeros_like(sample)}, 1);
}

at::Tensor SelfConditionedInput(const TrainingExample& example,
                                const std::function<at::Tensor(const at::Tensor&)>& predict,
                                uint64_t seed, int64_t first_position) {
  const at::NoGradGuard no_gradients;
  const at::Tensor& input = example.input;
  const at::Tensor prediction =
      predict(WithEstimate(input, at::Tensor())).narrow(1, 0, input.size(1));
  const at::Tensor seen = at::empty({input.size(0), 1, 1, 1});
  for (int64_t i = 0; i < input.size(0); ++i) {
    const RandomStream stream(seed, first_position + i, RandomPurpose::kSelfConditioning);
    seen.data_ptr<float>()[i] = stream.Uniform(0) < kShare ? 1 : 0;
  }
  return WithEstimate(input, seen.to(input.device()) * example.Original(prediction));
}

}  // namespace langevin::diffusion
