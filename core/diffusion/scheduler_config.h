// A diffusers scheduler_config.json: which process a network was trained on and how to sample it.
//
// A plain value. Exported with every model, and honoured field by field when one is sampled.
#ifndef LANGEVIN_CORE_DIFFUSION_SCHEDULER_CONFIG_H_
#define LANGEVIN_CORE_DIFFUSION_SCHEDULER_CONFIG_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "configs/run_config.h"
#include "core/diffusion/noise_schedule.h"
#include "core/diffusion/parameterization.h"

namespace langevin::diffusion {

// What a scheduler's class says of the process, which decides what its fields mean.
enum class SchedulerFamily {
  kDiscrete,  // DDPM, DDIM, Euler*, Heun, DPMSolverMultistep, UniPC: a table of betas.
  kEdm,       // EDMEuler, EDMDPMSolverMultistep.
  kFlow,      // FlowMatchEuler, FlowMatchHeun.
  kScoreVe,   // ScoreSdeVe.
  kScoreVp,   // ScoreSdeVp.
  kLangevin,  // LangevinScheduler: families and targets that diffusers has no class for.
};

// Names, values and defaults of fields are those of diffusers 0.42.1's classes. Each class has some
// of them: SchedulerConfigOf gives a class's defaults, and the JSON holds the fields of the class.
// Fields that a class does not have keep what DDIMScheduler.from_config would make of them.
struct SchedulerConfig {
  std::string class_name = "DDPMScheduler";

  // kDiscrete. num_train_timesteps: all but kEdm and kLangevin.
  int64_t num_train_timesteps = 1000;
  double beta_start = 1e-4;
  double beta_end = 0.02;
  std::string beta_schedule = "linear";
  std::vector<double> trained_betas;          // Used in place of the schedule unless empty.
  std::string variance_type = "fixed_small";  // DDPM.
  bool clip_sample = true;                    // DDPM, DDIM, Heun.
  double clip_sample_range = 1;
  bool set_alpha_to_one = true;  // DDIM.
  int64_t steps_offset = 0;
  // "epsilon", "sample", "v_prediction"; with use_flow_sigmas "flow_prediction".
  std::string prediction_type = "epsilon";
  bool thresholding = false;  // DDPM, DDIM, DPMSolver, UniPC.
  double dynamic_thresholding_ratio = 0.995;
  double sample_max_value = 1;
  std::string timestep_spacing = "leading";  // "leading", "trailing", "linspace".
  bool rescale_betas_zero_snr = false;

  // Noise levels other than those of evenly spaced time steps. At most one is set.
  bool use_karras_sigmas = false;       // Karras et al. 2022, equation 5.
  bool use_exponential_sigmas = false;  // Evenly spaced in log sigma.
  bool use_beta_sigmas = false;         // Lee et al. 2024: quantiles of Beta(0.6, 0.6).
  bool use_lu_lambdas = false;          // DPMSolver: as exponential, other rounding of times.
  std::optional<double> sigma_min, sigma_max;  // Euler, UniPC: ends of these. kEdm, kScoreVe: the
                                               // process's (set by SchedulerConfigOf).
  std::string final_sigmas_type = "zero";      // "zero", "sigma_min".
  std::string interpolation_type = "linear";   // Euler: "linear", "log_linear".
  std::string timestep_type = "discrete";      // Euler: "discrete", "continuous".

  // DPMSolver, UniPC.
  int64_t solver_order = 2;
  std::string algorithm_type = "dpmsolver++";
  std::string solver_type = "midpoint";  // UniPC: "bh1", "bh2".
  bool lower_order_final = true;
  bool euler_at_final = false;
  double lambda_min_clipped = -std::numeric_limits<double>::infinity();
  bool predict_x0 = true;
  std::vector<int64_t> disable_corrector;
  bool has_solver_p = false;     // UniPC's solver_p, a scheduler inside the scheduler.
  bool use_flow_sigmas = false;  // The network is a flow model.
  double flow_shift = 1;

  // kFlow; some also DPMSolver and UniPC.
  double shift = 1;
  bool use_dynamic_shifting = false;
  std::string time_shift_type = "exponential";
  std::optional<double> base_shift = 0.5, max_shift = 1.15;
  int64_t base_image_seq_len = 256, max_image_seq_len = 4096;
  std::optional<double> shift_terminal;
  bool invert_sigmas = false;
  bool stochastic_sampling = false;

  // kEdm, kLangevin.
  double sigma_data = 0.5;
  std::string sigma_schedule = "karras";  // kEdm: "karras", "exponential".
  double rho = 7;

  // kScoreVe, kScoreVp, kLangevin.
  double beta_min = 0.1, beta_max = 20;
  double snr = 0.15;
  double sampling_eps = 1e-3;
  int64_t correct_steps = 1;

  // kLangevin: "edm", "vp", "sub_vp", "ve", "linear", "trigonometric"; "epsilon", "sample", "v",
  // "score", "velocity", "preconditioned".
  std::string process = "edm";
  std::string target = "preconditioned";
  bool learned_variance = false;

  friend bool operator==(const SchedulerConfig&, const SchedulerConfig&) = default;
};

// The class's fields at their defaults. Unknown classes are DDIMScheduler.
SchedulerConfig SchedulerConfigOf(std::string_view class_name);

// Of config.class_name.
SchedulerFamily FamilyOf(const SchedulerConfig& config);

// What a run's process is in diffusers' terms: the class that samples it there, or
// LangevinScheduler where there is none. DDPM's defaults if the config has no process.
SchedulerConfig SchedulerConfigFrom(const configs::DiffusionConfig& diffusion);

// The process, and the standard deviation of the data where the class says it, of runs that train
// for `scheduler`: for fine-tuning a folder. InvalidArgument
// for what runs cannot train (trained_betas, other schedules, an unbounded learned variance,
// classes that are made for sampling alone).
absl::StatusOr<configs::DiffusionConfig> DiffusionConfigFrom(const SchedulerConfig& scheduler);

// Reads the text of a scheduler_config.json. Fields that are missing have diffusers' defaults, and
// classes that are not known are read as DDIMScheduler.from_config would: fields it does not know
// are passed over. InvalidArgument names `file`, field, value and what is allowed. Values that are
// only of use to samplers are refused where a sampler is made that would need them.
absl::StatusOr<SchedulerConfig> SchedulerConfigFromJson(std::string_view json,
                                                        std::string_view file);
// The fields of the config's own class.
std::string SchedulerConfigToJson(const SchedulerConfig& config);

// The table of a kDiscrete process. Requires a config that was read or made by the functions above.
NoiseSchedule MakeNoiseSchedule(const SchedulerConfig& config);

// Process, target and data_sigma of a network that was trained for `config`. InvalidArgument: a
// combination that no network can have been trained for, or that this program does not have.
absl::StatusOr<Formulation> FormulationFrom(const SchedulerConfig& config);

}  // namespace langevin::diffusion

#endif  // LANGEVIN_CORE_DIFFUSION_SCHEDULER_CONFIG_H_
