// Samplers: from noise to images, by asking a denoiser again and again.
//
// A sampler knows its noise levels (time_grid.h) and a rule for going from one to the next. It sees
// the model as a denoiser and its randomness as a function of the draw, so that what it draws for
// an image cannot depend on which other images are sampled beside it. The rules are in samplers.h.
#ifndef LANGEVIN_CORE_DIFFUSION_SAMPLER_H_
#define LANGEVIN_CORE_DIFFUSION_SAMPLER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "ATen/core/Tensor.h"
#include "absl/status/statusor.h"
#include "core/diffusion/denoiser.h"
#include "core/diffusion/scheduler_config.h"
#include "core/diffusion/scheduler_grid.h"

namespace langevin::diffusion {

// Standard normal noise of the sample's shape and type for draw 0, 1, ... < 2^24. Samplers never
// ask for the same draw twice, and which draws a step takes depends on the step's number alone.
using NoiseSource = std::function<at::Tensor(int64_t draw)>;

// Immutable; any thread.
class Sampler {
 public:
  virtual ~Sampler() = default;
  // How often the denoiser is called; 0: as often as the image needs.
  virtual int64_t network_evaluations() const = 0;
  // Whether steps depend on the image. Then Run asks the denoiser for one image at a time, with a
  // level of its own.
  virtual bool is_adaptive() const { return false; }
  // The result for initial noise `noise` (N, C, H, W), standard normal, of any floating type.
  virtual at::Tensor Run(const at::Tensor& noise, const Denoiser& denoiser,
                         const NoiseSource& noise_source) const = 0;
};

// What the command line says of a sampler. What is not set is as the model's scheduler has it, and
// what the sampler has no use for must not be set.
struct SamplerOptions {
  std::string name;              // SamplerNames(); "": DefaultSampler.
  std::optional<int64_t> steps;  // DefaultSteps.
  // "leading", "trailing", "linspace" (discrete models), "karras", "exponential", "beta", "uniform"
  // (others).
  std::optional<std::string> spacing;
  std::optional<double> shift;  // Of a flow's times.
  std::optional<double> eta;    // ddim (0), euler_ancestral (1): share of new noise.
  std::optional<double> churn;  // euler, heun: S_churn; then also:
  std::optional<double> churn_min, churn_max, churn_noise;
  std::optional<int64_t> order;            // unipc: 1 to 3.
  std::optional<double> snr;               // pc: of the corrector.
  std::optional<int64_t> corrector_steps;  // pc: 0 to 10.
  std::optional<std::string> predictor;    // pc: "reverse_diffusion", "euler_maruyama".
  std::optional<double> tolerance;         // rk45: relative and absolute.
  std::optional<double> clip;              // Clips x_0 to [-clip, clip]; 0: does not.
  std::optional<double> thresholding;      // Dynamic thresholding's quantile; 0: does not.
  std::optional<double> threshold_max;
};

// "ddpm, ddim, ..." for messages and help.
std::string SamplerNames();

// What `config` is sampled with where nothing else is asked for: "ddim" for DDPM and DDIM, the
// class's own rule for classes that are one (Euler, Heun, DPMSolver, UniPC ...), "heun" for those
// that stand for all of their family (EDMEuler, FlowMatchEuler, ScoreSde*, LangevinScheduler).
std::string DefaultSampler(const SchedulerConfig& config);
int64_t DefaultSteps(const std::string& name, const SchedulerConfig& config);

// A sampler for models of `config`, with the options and spacing that the config has for it: a
// sampler whose class is another than config's is made as that class's from_config would make it.
// InvalidArgument, naming the flag or field and the reason: an unknown name, a combination that
// makes no sense, steps that the process does not have.
absl::StatusOr<std::unique_ptr<Sampler>> MakeSampler(const SamplerOptions& options,
                                                     const SchedulerConfig& config);
absl::StatusOr<std::unique_ptr<Sampler>> MakeSampler(const std::string& name, int64_t steps,
                                                     const SchedulerConfig& config);

}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_SAMPLER_H_
