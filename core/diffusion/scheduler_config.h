// A diffusers scheduler_config.json: which process a network was trained on and how to sample it.
//
// A plain value. Exported with every model, and honoured field by field when one is sampled.
#ifndef LANGEVIN_CORE_DIFFUSION_SCHEDULER_CONFIG_H_
#define LANGEVIN_CORE_DIFFUSION_SCHEDULER_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/run_config.h"
#include "core/diffusion/noise_schedule.h"

namespace langevin::diffusion {

// Field names and values are those of diffusers' DDPMScheduler and DDIMScheduler.
struct SchedulerConfig {
  std::string class_name = "DDPMScheduler";  // Or "DDIMScheduler".
  int64_t num_train_timesteps = 1000;
  double beta_start = 1e-4;
  double beta_end = 0.02;
  std::string beta_schedule = "linear";
  std::vector<double> trained_betas;          // Used in place of the schedule unless empty.
  std::string variance_type = "fixed_small";  // DDPM.
  bool clip_sample = true;
  double clip_sample_range = 1;
  bool set_alpha_to_one = true;  // DDIM.
  int64_t steps_offset = 0;
  std::string prediction_type = "epsilon";  // "epsilon", "sample", "v_prediction".
  bool thresholding = false;
  double dynamic_thresholding_ratio = 0.995;
  double sample_max_value = 1;
  std::string timestep_spacing = "leading";  // "leading", "trailing", "linspace".
  bool rescale_betas_zero_snr = false;

  friend bool operator==(const SchedulerConfig&, const SchedulerConfig&) = default;
};

// What a run's process is in diffusers' terms.
SchedulerConfig SchedulerConfigFrom(const configs::DdpmConfig& ddpm);
SchedulerConfig SchedulerConfigFrom(const configs::DiffusionConfig& diffusion);

// The run config's process that trains for `scheduler`: for fine-tuning a folder. InvalidArgument
// for what runs cannot train (trained_betas, other schedules, an unbounded learned variance).
absl::StatusOr<configs::DdpmConfig> DdpmConfigFrom(const SchedulerConfig& scheduler);

// Reads the text of a scheduler_config.json. Fields that are missing have diffusers' defaults, and
// classes other than DDPM and DDIM are read as DDIMScheduler.from_config would: fields it does not
// know are passed over. InvalidArgument names `file`, field, value and what is allowed.
absl::StatusOr<SchedulerConfig> SchedulerConfigFromJson(std::string_view json,
                                                        std::string_view file);
// The fields of the config's own class.
std::string SchedulerConfigToJson(const SchedulerConfig& config);

// The forward process. Requires a config that was read or made by the functions above.
NoiseSchedule MakeNoiseSchedule(const SchedulerConfig& config);

}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_SCHEDULER_CONFIG_H_
