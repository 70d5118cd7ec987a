// Samplers: from noise to images, by asking a network again and again.
//
// A sampler knows the process and its own discretisation; it sees the network as a function and its
// randomness as a function of the step, so that what it draws for an image cannot depend on which
// other images are sampled beside it.
#ifndef LANGEVIN_CORE_DIFFUSION_SAMPLER_H_
#define LANGEVIN_CORE_DIFFUSION_SAMPLER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "core/diffusion/denoiser.h"
#include "core/diffusion/scheduler_config.h"

namespace langevin::diffusion {

// Standard normal noise of the sample's shape for the given step, 0 first.
using NoiseSource = std::function<at::Tensor(int64_t step)>;

// Immutable; any thread.
class Sampler {
 public:
  virtual ~Sampler() = default;
  // How often the predictor is called.
  virtual int64_t network_evaluations() const = 0;
  // The result for initial noise `noise` (N, C, H, W), standard normal, fp32.
  virtual at::Tensor Run(const at::Tensor& noise, const Predictor& predictor,
                         const NoiseSource& noise_source) const = 0;
};

// "ddpm" or "ddim" with `steps` steps on the process and options of `config`; "" picks ddim.
// InvalidArgument: an unknown name, or more steps than the process has.
absl::StatusOr<std::unique_ptr<Sampler>> MakeSampler(const std::string& name, int64_t steps,
                                                     const SchedulerConfig& config);

// The time steps that `steps` sampling steps visit, descending (Lin et al. 2023, table 2).
std::vector<int64_t> SamplingTimesteps(const SchedulerConfig& config, int64_t steps);

// Ho et al. 2020, algorithm 2, over a subsequence of the time steps.
std::unique_ptr<Sampler> MakeDdpmSampler(const SchedulerConfig& config, int64_t steps);
// Song et al. 2021, equation 12 with eta = 0: deterministic.
std::unique_ptr<Sampler> MakeDdimSampler(const SchedulerConfig& config, int64_t steps);

namespace internal {

// The clean image that a prediction implies, clipped or thresholded as the config says.
at::Tensor PredictOriginal(const SchedulerConfig& config, double alpha_bar,
                           const at::Tensor& sample, const at::Tensor& prediction);

}  // namespace internal
}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_SAMPLER_H_
