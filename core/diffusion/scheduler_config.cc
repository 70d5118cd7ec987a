#include "core/diffusion/scheduler_config.h"

#include <utility>

namespace langevin::diffusion {
namespace {

// Where a class's defaults differ from those of the struct.
constexpr const char* kLinspaceClasses[] = {
    "EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler", "HeunDiscreteScheduler",
    "DPMSolverMultistepScheduler", "UniPCMultistepScheduler"};

}  // namespace

SchedulerConfig SchedulerConfigOf(std::string_view class_name) {
  SchedulerConfig config;
  config.class_name = std::string(class_name);
  if (class_name == "DDPMScheduler" || class_name == "DDIMScheduler") return config;
  for (const char* name : kLinspaceClasses) {
    if (class_name != name) continue;
    config.timestep_spacing = "linspace";
    if (class_name == "HeunDiscreteScheduler") {
      config.beta_start = 0.00085;
      config.beta_end = 0.012;
      config.clip_sample = false;
    }
    if (class_name == "UniPCMultistepScheduler") config.solver_type = "bh2";
    return config;
  }
  if (class_name == "EDMEulerScheduler" || class_name == "EDMDPMSolverMultistepScheduler") {
    config.sigma_min = 0.002;
    config.sigma_max = 80;
  } else if (class_name == "ScoreSdeVeScheduler") {
    config.num_train_timesteps = 2000;
    config.sigma_min = 0.01;
    config.sigma_max = 1348;
    config.sampling_eps = 1e-5;
  } else if (class_name == "ScoreSdeVpScheduler") {
    config.num_train_timesteps = 2000;
  } else if (class_name == "LangevinScheduler") {
    config.sigma_min = 0.002;
    config.sigma_max = 80;
  } else if (class_name != "FlowMatchEulerDiscreteScheduler" &&
             class_name != "FlowMatchHeunDiscreteScheduler") {
    config.class_name = "DDIMScheduler";
  }
  return config;
}

SchedulerFamily FamilyOf(const SchedulerConfig& config) {
  const std::string& name = config.class_name;
  if (name.starts_with("EDM")) return SchedulerFamily::kEdm;
  if (name.starts_with("FlowMatch")) return SchedulerFamily::kFlow;
  if (name == "ScoreSdeVeScheduler") return SchedulerFamily::kScoreVe;
  if (name == "ScoreSdeVpScheduler") return SchedulerFamily::kScoreVp;
  if (name == "LangevinScheduler") return SchedulerFamily::kLangevin;
  return SchedulerFamily::kDiscrete;
}

NoiseSchedule MakeNoiseSchedule(const SchedulerConfig& config) {
  const int64_t steps = config.num_train_timesteps;
  std::vector<double> betas;
  if (!config.trained_betas.empty()) {
    betas = config.trained_betas;
  } else if (config.beta_schedule == "scaled_linear") {
    betas = ScaledLinearBetas(steps, config.beta_start, config.beta_end);
  } else if (config.beta_schedule == "squaredcos_cap_v2") {
    betas = CosineBetas(steps);
  } else if (config.beta_schedule == "sigmoid") {
    betas = SigmoidBetas(steps, config.beta_start, config.beta_end);
  } else if (config.beta_schedule == "exp") {
    betas = ExponentialBetas(steps);
  } else if (config.beta_schedule == "laplace") {
    betas = LaplaceBetas(steps);
  } else {
    betas = LinearBetas(steps, config.beta_start, config.beta_end);
  }
  if (config.rescale_betas_zero_snr) betas = RescaleToZeroTerminalSnr(betas);
  return MakeNoiseSchedule(std::move(betas));
}

}  // namespace langevin::diffusion
