#include <algorithm>
#include <cmath>
#include <numbers>

#include "ATen/ATen.h"
#include "core/base/philox.h"
#include "core/diffusion/dormand_prince.h"
#include "core/diffusion/likelihood.h"
#include "torch/csrc/autograd/autograd.h"

namespace langevin::diffusion {
namespace {

// +1 and -1 with the same probability: of all probes with unit variance these have the least
// variance of v^T J v (Hutchinson 1989).
at::Tensor Signs(const at::Tensor& like, uint64_t seed, uint64_t index, uint32_t probe) {
  const RandomStream random(seed, index, RandomPurpose::kLikelihoodProbe, probe);
  at::Tensor signs = at::empty(like.sizes(), at::kFloat);
  float* values = signs.data_ptr<float>();
  for (int64_t i = 0; i < signs.numel(); ++i) {
    values[i] = random.Word(static_cast<uint32_t>(i)) >> 31 != 0 ? 1.0F : -1.0F;
  }
  return signs.to(like.options());
}

// The flow in y = x / (alpha + sigma) over u = sigma / (alpha + sigma), from data at 0 to noise at
// 1, where it is dy/du = epsilon - x_0 for every process, with finite slopes at both ends.
class Flow {
 public:
  Flow(const Denoiser& denoiser, const ForwardProcess& process)
      : denoiser_(denoiser), process_(process) {}

  NoiseLevel LevelAt(double u) const {
    return process_.At(
        process_.TimeOfRatio(u >= 1 ? std::numeric_limits<double>::infinity() : u / (1 - u)));
  }

  at::Tensor Velocity(const NoiseLevel& level, const at::Tensor& y) const {
    const at::Tensor x = (level.alpha + level.sigma) * y;
    const at::Tensor original = denoiser_(x, level).original;
    return (x - level.alpha * original) / level.sigma - original;
  }

 private:
  const Denoiser& denoiser_;
  const ForwardProcess& process_;
};

// log N(y; 0, deviation^2), summed.
double LogNormal(const at::Tensor& y, double deviation) {
  const double square = at::square(y.to(at::kDouble)).sum().item<double>();
  const double count = static_cast<double>(y.numel());
  return -square / (2 * deviation * deviation) -
         count * (std::log(deviation) + 0.5 * std::log(2 * std::numbers::pi));
}

// log p(x), with the trace of the flow's Jacobian estimated by `signs`.
double LogDensity(const at::Tensor& image, const Flow& flow, const NoiseLevel& first,
                  const NoiseLevel& last, double tolerance, const at::Tensor& signs) {
  const auto position = [](const NoiseLevel& level) {
    return level.sigma / (level.alpha + level.sigma);
  };
  const double begin = position(first), end = position(last);
  // The state is y and, behind it, the integral of the divergence.
  const Slope slope = [&](double u, const at::Tensor& state) {
    const NoiseLevel level = u == begin ? first : u == end ? last : flow.LevelAt(u);
    const at::AutoGradMode with_gradients(true);
    at::Tensor y = state.narrow(0, 0, image.numel()).view(image.sizes()).detach();
    y.set_requires_grad(true);
    const at::Tensor velocity = flow.Velocity(level, y);
    const at::Tensor pulled = torch::autograd::grad({(velocity * signs).sum()}, {y}).front();
    return at::cat({velocity.detach().flatten(), (pulled * signs).sum().view({1})});
  };
  const at::Tensor start =
      at::cat({image.flatten() / (first.alpha + first.sigma), at::zeros({1}, image.options())});
  const at::Tensor result = IntegrateDormandPrince(start, begin, end, tolerance, slope);
  const at::Tensor y = result.narrow(0, 0, image.numel());
  const double divergence = result[image.numel()].item<double>();
  // At the end y is noise, with what is left of data of about unit size beside it. Densities go
  // with the scale: p(x) = p(y) / (alpha + sigma)^D at the beginning.
  const double scale = 1 / (last.alpha + last.sigma);
  return LogNormal(y, scale * last.sigma) + divergence -
         static_cast<double>(image.numel()) * std::log(first.alpha + first.sigma);
}

}  // namespace

LogLikelihood FlowLogLikelihood(const at::Tensor& image, const Denoiser& denoiser,
                                const ForwardProcess& process, const FlowLikelihoodOptions& options,
                                uint64_t seed, uint64_t index) {
  const Flow flow(denoiser, process);
  const NoiseLevel last = process.At(process.end_time());
  NoiseLevel first = process.At(process.TimeOfRatio(options.least_ratio));
  double sum = 0, squares = 0;
  for (int probe = 0; probe < options.probes; ++probe) {
    const double nats = LogDensity(image, flow, first, last, options.tolerance,
                                   Signs(image, seed, index, static_cast<uint32_t>(probe)));
    sum += nats;
    squares += nats * nats;
  }
  const double count = options.probes;
  const double mean = sum / count;
  const double variance =
      count > 1 ? std::max(0.0, squares / count - mean * mean) / (count - 1) : 0;
  return {.nats = mean, .standard_error = std::sqrt(variance)};
}

}  // namespace langevin::diffusion
