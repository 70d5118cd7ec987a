#include <cmath>
#include <span>
#include <vector>

#include "ATen/ATen.h"
#include "ATen/Parallel.h"
#include "core/base/philox.h"
#include "core/diffusion/objective.h"
#include "core/diffusion/scheduler_config.h"

namespace langevin::diffusion {
namespace {

class DdpmObjective : public Objective {
 public:
  explicit DdpmObjective(const configs::DdpmConfig& config)
      : prediction_(config.prediction), schedule_(MakeNoiseSchedule(SchedulerConfigFrom(config))) {}

  TrainingExample MakeExample(const at::Tensor& clean, uint64_t seed,
                              int64_t first_position) const override {
    const int64_t count = clean.size(0);
    const int64_t values = clean.numel() / count;
    TrainingExample example{.noisy = at::empty_like(clean),
                            .timesteps = at::empty({count}, at::kLong),
                            .target = at::empty_like(clean)};
    at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
      std::vector<float> epsilon(values);
      for (int64_t image = begin; image < end; ++image) {
        const uint64_t position = first_position + image;
        const int64_t t = RandomStream(seed, position, RandomPurpose::kTimestep)
                              .UniformInt(0, schedule_.num_train_timesteps());
        RandomStream(seed, position, RandomPurpose::kTrainingNoise).FillNormal(epsilon);
        example.timesteps.data_ptr<int64_t>()[image] = t;
        AddNoise(t, clean.data_ptr<float>() + image * values, epsilon,
                 example.noisy.data_ptr<float>() + image * values,
                 example.target.data_ptr<float>() + image * values);
      }
    });
    return example;
  }

  at::Tensor Loss(const at::Tensor& prediction, const TrainingExample& example) const override {
    return at::mse_loss(prediction, example.target);
  }

 private:
  void AddNoise(int64_t t, const float* clean, std::span<const float> epsilon, float* noisy,
                float* target) const {
    const double alpha_bar = schedule_.alphas_cumprod[t];
    const auto signal = static_cast<float>(std::sqrt(alpha_bar));
    const auto noise = static_cast<float>(std::sqrt(1 - alpha_bar));
    for (size_t i = 0; i < epsilon.size(); ++i) {
      noisy[i] = signal * clean[i] + noise * epsilon[i];
      switch (prediction_) {
        case configs::Prediction::kEpsilon:
          target[i] = epsilon[i];
          break;
        case configs::Prediction::kSample:
          target[i] = clean[i];
          break;
        case configs::Prediction::kVPrediction:
          target[i] = signal * epsilon[i] - noise * clean[i];
          break;
      }
    }
  }

  const configs::Prediction prediction_;
  const NoiseSchedule schedule_;
};

}  // namespace

std::unique_ptr<Objective> MakeDdpmObjective(const configs::DdpmConfig& config) {
  return std::make_unique<DdpmObjective>(config);
}

}  // namespace langevin::diffusion
