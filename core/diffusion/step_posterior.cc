#include "core/diffusion/step_posterior.h"

#include <algorithm>
#include <cmath>

#include "ATen/ATen.h"

namespace langevin::diffusion {
namespace {

double PosteriorVariance(const NoiseSchedule& schedule, int64_t t) {
  const double alpha_bar = schedule.alphas_cumprod[t];
  const double previous = t > 0 ? schedule.alphas_cumprod[t - 1] : 1;
  return schedule.betas[t] * (1 - previous) / (1 - alpha_bar);
}

at::Tensor NormalCdf(const at::Tensor& x) { return 0.5 * at::erfc(x * -0.7071067811865476); }

}  // namespace

StepPosterior PosteriorAt(const NoiseSchedule& schedule, int64_t t) {
  const double alpha_bar = schedule.alphas_cumprod[t];
  const double previous = t > 0 ? schedule.alphas_cumprod[t - 1] : 1;
  const double beta = schedule.betas[t];
  const int64_t with_variance =
      std::min(std::max<int64_t>(t, 1), schedule.num_train_timesteps() - 1);
  return {.original = beta * std::sqrt(previous) / (1 - alpha_bar),
          .sample = (1 - previous) * std::sqrt(1 - beta) / (1 - alpha_bar),
          .log_variance = std::log(std::max(PosteriorVariance(schedule, with_variance), 1e-20)),
          .log_beta = std::log(beta)};
}

at::Tensor GaussianKl(const at::Tensor& mean_1, const at::Tensor& log_variance_1,
                      const at::Tensor& mean_2, const at::Tensor& log_variance_2) {
  const at::Tensor difference = log_variance_1 - log_variance_2;
  return 0.5 * (at::exp(difference) - 1 - difference +
                at::square(mean_1 - mean_2) * at::exp(-log_variance_2));
}

at::Tensor DiscretizedGaussianNll(const at::Tensor& x, const at::Tensor& mean,
                                  const at::Tensor& log_variance, double half_bin) {
  const at::Tensor inverse_deviation = at::exp(-0.5 * log_variance);
  const at::Tensor centered = x - mean;
  const at::Tensor above = inverse_deviation * (centered + half_bin);
  const at::Tensor below = inverse_deviation * (centered - half_bin);
  // 1 - cdf(z) is cdf(-z): on the right both ends are mirrored, so that small differences of
  // numbers near 1 become differences of small numbers.
  const at::Tensor right = centered > 0;
  const at::Tensor inside =
      NormalCdf(at::where(right, -below, above)) - NormalCdf(at::where(right, -above, below));
  const at::Tensor probability = at::where(x < -1 + half_bin, NormalCdf(above),
                                           at::where(x > 1 - half_bin, NormalCdf(-below), inside));
  return -at::log(at::clamp_min(probability, 1e-12));
}

}  // namespace langevin::diffusion
