#include <cmath>
#include <utility>

#include "ATen/ATen.h"
#include "core/diffusion/samplers.h"

namespace langevin::diffusion {
namespace {

// (N, 1, 1, 1): each image's norm.
at::Tensor NormOfEach(const at::Tensor& images) {
  return at::linalg_vector_norm(images.flatten(1), 2, at::IntArrayRef{1}).view({-1, 1, 1, 1});
}

class PredictorCorrectorSampler : public Sampler {
 public:
  PredictorCorrectorSampler(TimeGrid grid, PredictorCorrectorOptions options)
      : grid_(std::move(grid)), options_(options) {}

  int64_t network_evaluations() const override {
    return static_cast<int64_t>(grid_.steps()) * (1 + options_.corrector_steps);
  }

  at::Tensor Run(const at::Tensor& noise, const Denoiser& denoiser,
                 const NoiseSource& noise_source) const override {
    at::Tensor sample = grid_.initial_scale * noise;
    for (size_t step = 0; step < grid_.steps(); ++step) {
      const NoiseLevel& from = grid_.levels[step];
      const NoiseLevel& to = grid_.levels[step + 1];
      const int64_t first_draw = static_cast<int64_t>(step) * (1 + options_.corrector_steps);
      for (int64_t i = 0; i < options_.corrector_steps; ++i) {
        sample =
            Correct(from, to, sample, Score(sample, from, denoiser), noise_source(first_draw + i));
      }
      const Prediction prediction = Predict(from, to, sample, Score(sample, from, denoiser));
      sample = prediction.mean;
      if (step + 1 < grid_.steps()) {
        sample =
            sample + prediction.deviation * noise_source(first_draw + options_.corrector_steps);
      }
    }
    return sample;
  }

 private:
  struct Prediction {
    at::Tensor mean;
    double deviation;  // Of the noise to be added.
  };

  static at::Tensor Score(const at::Tensor& sample, const NoiseLevel& level,
                          const Denoiser& denoiser) {
    return internal::NoiseIn(sample, denoiser(sample, level).original, level) / -level.sigma;
  }

  // Algorithms 4 and 5: one Langevin step, as long as the wanted signal-to-noise ratio makes it.
  at::Tensor Correct(const NoiseLevel& from, const NoiseLevel& to, const at::Tensor& sample,
                     const at::Tensor& score, const at::Tensor& noise) const {
    const double kept = from.alpha / to.alpha;
    const at::Tensor ratio = options_.snr * NormOfEach(noise) / NormOfEach(score);
    const at::Tensor length = 2 * kept * kept * ratio * ratio;
    return sample + length * score + at::sqrt(2 * length) * noise;
  }

  Prediction Predict(const NoiseLevel& from, const NoiseLevel& to, const at::Tensor& sample,
                     const at::Tensor& score) const {
    if (options_.is_euler_maruyama) {
      // The reverse SDE, equation 6.
      const double drift = from.alpha_slope / from.alpha;
      const double diffusion =
          2 * from.sigma * (from.sigma_slope - drift * from.sigma);  // Squared.
      const double step = from.t - to.t;
      return {.mean = sample - step * (drift * sample - diffusion * score),
              .deviation = std::sqrt(step * diffusion)};
    }
    // Appendix E: the forward step x_from = kept x_to + sqrt(added) z, run backwards.
    const double kept = from.alpha / to.alpha;
    const double added = from.sigma * from.sigma - kept * kept * to.sigma * to.sigma;
    return {.mean = (2 - kept) * sample + added * score, .deviation = std::sqrt(added)};
  }

  const TimeGrid grid_;
  const PredictorCorrectorOptions options_;
};

}  // namespace

std::unique_ptr<Sampler> MakePredictorCorrectorSampler(TimeGrid grid,
                                                       PredictorCorrectorOptions options) {
  return std::make_unique<PredictorCorrectorSampler>(std::move(grid), options);
}

}  // namespace langevin::diffusion
