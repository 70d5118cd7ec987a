// What diffusers calls the process of a run, for each family.
#include <variant>

#include "core/diffusion/scheduler_config.h"

namespace langevin::diffusion {

SchedulerConfig SchedulerConfigFrom(const configs::DiffusionConfig& diffusion) {
  const configs::ProcessConfig process = diffusion.process.value_or(configs::DdpmConfig());
  if (const auto* ddpm = std::get_if<configs::DdpmConfig>(&process)) {
    return SchedulerConfigFrom(*ddpm);
  }
  return {};
}

}  // namespace langevin::diffusion
