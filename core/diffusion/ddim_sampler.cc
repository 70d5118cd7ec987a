#include <cmath>

#include "ATen/ATen.h"
#include "core/diffusion/sampler.h"

namespace langevin::diffusion {
namespace {

class DdimSampler : public Sampler {
 public:
  DdimSampler(const SchedulerConfig& config, int64_t steps)
      : config_(config),
        alphas_cumprod_(MakeNoiseSchedule(config).alphas_cumprod),
        timesteps_(SamplingTimesteps(config, steps)) {}

  int64_t network_evaluations() const override { return static_cast<int64_t>(timesteps_.size()); }

  at::Tensor Run(const at::Tensor& noise, const Predictor& predictor,
                 const NoiseSource& /*noise_source*/) const override {
    at::Tensor sample = noise;
    // The stride, not the next entry of timesteps_, says where a step ends: diffusers does it so,
    // and with spacings other than "leading" it makes a difference.
    const int64_t stride = config_.num_train_timesteps / network_evaluations();
    for (const int64_t t : timesteps_) {
      const at::Tensor prediction = predictor(sample, static_cast<double>(t));
      sample = Step(t, t - stride, sample, prediction);
    }
    return sample;
  }

 private:
  at::Tensor Step(int64_t t, int64_t previous_t, const at::Tensor& sample,
                  const at::Tensor& prediction) const {
    const double alpha_bar = alphas_cumprod_[t];
    const double final_alpha_bar = config_.set_alpha_to_one ? 1.0 : alphas_cumprod_[0];
    const double alpha_bar_previous =
        previous_t >= 0 ? alphas_cumprod_[previous_t] : final_alpha_bar;
    const at::Tensor original = internal::PredictOriginal(config_, alpha_bar, sample, prediction);
    // epsilon is the one the network meant, not the one that fits the clipped image: diffusers'
    // default (use_clipped_model_output = False).
    const double signal = std::sqrt(alpha_bar), noise = std::sqrt(1 - alpha_bar);
    at::Tensor epsilon = prediction;
    if (config_.prediction_type == "sample") {
      epsilon = (sample - signal * prediction) / noise;
    } else if (config_.prediction_type == "v_prediction") {
      epsilon = signal * prediction + noise * sample;
    }
    return std::sqrt(alpha_bar_previous) * original + std::sqrt(1 - alpha_bar_previous) * epsilon;
  }

  const SchedulerConfig config_;
  const std::vector<double> alphas_cumprod_;
  const std::vector<int64_t> timesteps_;
};

}  // namespace

std::unique_ptr<Sampler> MakeDdimSampler(const SchedulerConfig& config, int64_t steps) {
  return std::make_unique<DdimSampler>(config, steps);
}

}  // namespace langevin::diffusion
