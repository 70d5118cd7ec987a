#include <algorithm>
#include <cmath>

#include "ATen/ATen.h"
#include "core/base/philox.h"
#include "core/diffusion/likelihood.h"
#include "core/diffusion/step_posterior.h"

namespace langevin::diffusion {
namespace {

constexpr int64_t kTimeParts = 10;

at::Tensor NoiseAt(const at::Tensor& like, uint64_t seed, uint64_t index, int64_t t) {
  at::Tensor noise = at::empty(like.sizes(), at::kFloat);
  RandomStream(seed, index, RandomPurpose::kLikelihoodNoise, static_cast<uint32_t>(t))
      .FillNormal({noise.data_ptr<float>(), static_cast<size_t>(noise.numel())});
  return noise.to(like.options());
}

// Where part `part` of `terms` parts of `steps` steps begins, of which the first `exact` are single
// steps.
int64_t PartBegin(int64_t part, int64_t exact, int64_t terms, int64_t steps) {
  if (part <= exact) return part;
  return exact + (part - exact) * (steps - exact) / (terms - exact);
}

// The term of step t, in nats.
double Term(const at::Tensor& image, const Denoiser& denoiser, const ForwardProcess& process,
            const NoiseSchedule& schedule, const BoundOptions& options, const at::Tensor& noise,
            int64_t t) {
  const NoiseLevel level = process.At(static_cast<double>(t));
  const at::Tensor sample = level.alpha * image + level.sigma * noise;
  const Denoised denoised = denoiser(sample, level);
  const StepPosterior posterior = PosteriorAt(schedule, t);
  const at::Tensor original = options.clips ? denoised.original.clamp(-1, 1) : denoised.original;
  const at::Tensor mean = posterior.original * original + posterior.sample * sample;
  at::Tensor log_variance;
  if (denoised.variance.defined()) {
    // Nichol and Dhariwal 2021, equation 15.
    const at::Tensor fraction = (denoised.variance + 1) / 2;
    log_variance = fraction * posterior.log_beta + (1 - fraction) * posterior.log_variance;
  } else {
    // With beta, the first step has the posterior's of the second, as in Nichol and Dhariwal's
    // program: beta_1 would be the wrong size for data.
    const bool is_beta = options.variance == StepVariance::kBeta && t > 0;
    log_variance = at::full_like(image, is_beta ? posterior.log_beta : posterior.log_variance);
  }
  const at::Tensor true_mean = posterior.original * image + posterior.sample * sample;
  const at::Tensor nats =
      t == 0
          ? DiscretizedGaussianNll(image, mean, log_variance, options.half_bin)
          : GaussianKl(true_mean, at::full_like(image, posterior.log_variance), mean, log_variance);
  return nats.to(at::kDouble).sum().item<double>();
}

}  // namespace

VariationalBound BoundOf(const at::Tensor& image, const Denoiser& denoiser,
                         const ForwardProcess& process, const NoiseSchedule& schedule,
                         const BoundOptions& options, uint64_t seed, uint64_t index) {
  const at::NoGradGuard no_gradients;
  const int64_t steps = schedule.num_train_timesteps();
  const int64_t terms = options.terms > 0 ? std::min(options.terms, steps) : steps;
  const int64_t exact = terms == steps ? steps : terms / 2;
  const RandomStream places(seed, index, RandomPurpose::kLikelihoodTime);
  VariationalBound bound{.by_time = std::vector<double>(kTimeParts, 0)};
  for (int64_t part = 0; part < terms; ++part) {
    const int64_t begin = PartBegin(part, exact, terms, steps);
    const int64_t size = PartBegin(part + 1, exact, terms, steps) - begin;
    const int64_t t =
        begin + places.UniformInt(static_cast<uint32_t>(part), static_cast<uint32_t>(size));
    const double nats =
        static_cast<double>(size) *
        Term(image, denoiser, process, schedule, options, NoiseAt(image, seed, index, t), t);
    bound.by_time[t * kTimeParts / steps] += nats;
    bound.nats += nats;
  }
  // KL(q(x_T | x_0) || N(0, 1)).
  const double alpha_bar = schedule.alphas_cumprod.back();
  const double square = at::square(image.to(at::kDouble)).sum().item<double>();
  bound.prior = 0.5 * (alpha_bar * square +
                       static_cast<double>(image.numel()) * (-alpha_bar - std::log1p(-alpha_bar)));
  bound.nats += bound.prior;
  return bound;
}

}  // namespace langevin::diffusion
