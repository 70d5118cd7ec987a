#include <algorithm>
#include <cmath>
#include <utility>

#include "ATen/ATen.h"
#include "core/diffusion/sampler.h"

namespace langevin::diffusion {
namespace {

class DdpmSampler : public Sampler {
 public:
  DdpmSampler(const SchedulerConfig& config, int64_t steps)
      : config_(config),
        alphas_cumprod_(MakeNoiseSchedule(config).alphas_cumprod),
        timesteps_(SamplingTimesteps(config, steps)) {}

  int64_t network_evaluations() const override { return static_cast<int64_t>(timesteps_.size()); }

  at::Tensor Run(const at::Tensor& noise, const Predictor& predictor,
                 const NoiseSource& noise_source) const override {
    at::Tensor sample = noise;
    for (size_t step = 0; step < timesteps_.size(); ++step) {
      const int64_t t = timesteps_[step];
      const int64_t previous_t = step + 1 < timesteps_.size() ? timesteps_[step + 1] : -1;
      sample = Step(t, previous_t, sample, predictor(sample, static_cast<double>(t)),
                    t > 0 ? noise_source(static_cast<int64_t>(step)) : at::Tensor());
    }
    return sample;
  }

 private:
  // `noise` is undefined at t = 0, where none is added.
  at::Tensor Step(int64_t t, int64_t previous_t, const at::Tensor& sample,
                  const at::Tensor& network_output, const at::Tensor& noise) const {
    const double alpha_bar = alphas_cumprod_[t];
    const double alpha_bar_previous = previous_t >= 0 ? alphas_cumprod_[previous_t] : 1.0;
    const double alpha = alpha_bar / alpha_bar_previous;
    const double beta = 1 - alpha;

    at::Tensor prediction = network_output, predicted_variance;
    if (IsLearned() && network_output.size(1) == 2 * sample.size(1)) {
      const std::vector<at::Tensor> halves = network_output.chunk(2, 1);
      prediction = halves[0];
      predicted_variance = halves[1];
    }
    // Ho et al. 2020, equation 7.
    const at::Tensor original = internal::PredictOriginal(config_, alpha_bar, sample, prediction);
    const double original_weight = std::sqrt(alpha_bar_previous) * beta / (1 - alpha_bar);
    const double sample_weight = std::sqrt(alpha) * (1 - alpha_bar_previous) / (1 - alpha_bar);
    const at::Tensor mean = original_weight * original + sample_weight * sample;
    if (!noise.defined()) return mean;

    const double posterior_variance =
        std::max((1 - alpha_bar_previous) / (1 - alpha_bar) * beta, 1e-20);
    if (predicted_variance.defined() && config_.variance_type == "learned_range") {
      // Nichol and Dhariwal 2021, equation 15.
      const at::Tensor fraction = (predicted_variance + 1) / 2;
      const at::Tensor log_variance =
          fraction * std::log(beta) + (1 - fraction) * std::log(posterior_variance);
      return mean + at::exp(0.5 * log_variance) * noise;
    }
    if (predicted_variance.defined()) return mean + at::sqrt(predicted_variance) * noise;
    return mean + StandardDeviation(beta, posterior_variance) * noise;
  }

  bool IsLearned() const {
    return config_.variance_type == "learned" || config_.variance_type == "learned_range";
  }

  double StandardDeviation(double beta, double posterior_variance) const {
    if (config_.variance_type == "fixed_large") return std::sqrt(beta);
    // diffusers takes the square root of the logarithm here, which is not a number: the variance
    // that was meant is used.
    if (config_.variance_type == "fixed_large_log") return std::sqrt(beta);
    return std::sqrt(posterior_variance);
  }

  const SchedulerConfig config_;
  const std::vector<double> alphas_cumprod_;
  const std::vector<int64_t> timesteps_;
};

}  // namespace

std::unique_ptr<Sampler> MakeDdpmSampler(const SchedulerConfig& config, int64_t steps) {
  return std::make_unique<DdpmSampler>(config, steps);
}

}  // namespace langevin::diffusion
