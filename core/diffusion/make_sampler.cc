// Names, options and schedulers' configs into samplers, and what of them does not go together.
#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/status_macros.h"
#include "core/diffusion/samplers.h"

namespace langevin::diffusion {
namespace {

constexpr std::array<const char*, 11> kNames = {"ddpm",  "ddim",     "euler",    "euler_ancestral",
                                                "heun",  "dpmpp_2m", "dpmpp_3m", "dpmpp_2m_sde",
                                                "unipc", "pc",       "rk45"};
// The class's own rule, with the order and kind that its fields say.
constexpr const char* kOwnDpmSolver = "dpmpp";

struct SamplerRequest {
  SamplerOptions options;
  std::string name;
  SchedulerConfig config;
  Formulation formulation;
  int64_t steps = 0;
  bool is_discrete = false;  // A table of betas.
  bool is_own = false;       // No name was asked for: the class's fields say all.
};

absl::Status Refused(std::string_view flag, std::string_view reason) {
  return absl::InvalidArgumentError(absl::StrCat(std::string(flag), ": ", std::string(reason)));
}

// `value` is set, but the sampler is none of `names`.
template <typename Value>
absl::Status CheckOnlyFor(const std::optional<Value>& value, const char* flag,
                          const SamplerRequest& request, std::initializer_list<const char*> names) {
  if (!value.has_value() || std::find(names.begin(), names.end(), request.name) != names.end()) {
    return absl::OkStatus();
  }
  return Refused(flag, absl::StrCat("is only for --sampler ", absl::StrJoin(names, ", "),
                                    ", not for ", request.name));
}

absl::Status CheckRange(const std::optional<double>& value, const char* flag, double least,
                        double most) {
  if (!value.has_value() || (*value >= least && *value <= most)) return absl::OkStatus();
  return Refused(absl::StrCat(flag, " ", *value),
                 absl::StrCat("must be from ", least, " to ", most));
}

absl::Status CheckOptions(const SamplerRequest& request) {
  const SamplerOptions& options = request.options;
  LANGEVIN_RETURN_IF_ERROR(
      CheckOnlyFor(options.eta, "--eta", request, {"ddim", "euler_ancestral"}));
  LANGEVIN_RETURN_IF_ERROR(CheckOnlyFor(options.churn, "--churn", request, {"euler", "heun"}));
  LANGEVIN_RETURN_IF_ERROR(CheckOnlyFor(options.order, "--order", request, {"unipc"}));
  LANGEVIN_RETURN_IF_ERROR(CheckOnlyFor(options.snr, "--snr", request, {"pc"}));
  LANGEVIN_RETURN_IF_ERROR(
      CheckOnlyFor(options.corrector_steps, "--corrector_steps", request, {"pc"}));
  LANGEVIN_RETURN_IF_ERROR(CheckOnlyFor(options.predictor, "--predictor", request, {"pc"}));
  LANGEVIN_RETURN_IF_ERROR(CheckOnlyFor(options.tolerance, "--tolerance", request, {"rk45"}));
  if (request.name == "rk45" && options.steps.has_value()) {
    return Refused("--steps", "rk45 takes as many as --tolerance needs; leave it out");
  }
  if (request.name == "rk45" && options.spacing.has_value()) {
    return Refused("--spacing", "rk45 chooses its own steps; leave it out");
  }
  if (!options.churn.has_value() &&
      (options.churn_min.has_value() || options.churn_max.has_value() ||
       options.churn_noise.has_value())) {
    return Refused("--churn_min, --churn_max, --churn_noise", "need --churn");
  }
  if (options.threshold_max.has_value() && !options.thresholding.has_value()) {
    return Refused("--threshold_max", "needs --thresholding");
  }
  if (options.thresholding.value_or(0) > 0 && options.clip.value_or(0) > 0) {
    return Refused("--thresholding", "takes the place of --clip; give one of them");
  }
  LANGEVIN_RETURN_IF_ERROR(CheckRange(options.eta, "--eta", 0, 1));
  LANGEVIN_RETURN_IF_ERROR(CheckRange(options.churn, "--churn", 0, 1e6));
  LANGEVIN_RETURN_IF_ERROR(CheckRange(options.churn_noise, "--churn_noise", 0, 2));
  LANGEVIN_RETURN_IF_ERROR(CheckRange(options.snr, "--snr", 1e-9, 10));
  LANGEVIN_RETURN_IF_ERROR(CheckRange(options.tolerance, "--tolerance", 1e-10, 0.1));
  LANGEVIN_RETURN_IF_ERROR(CheckRange(options.thresholding, "--thresholding", 0, 1));
  LANGEVIN_RETURN_IF_ERROR(CheckRange(options.clip, "--clip", 0, 1e6));
  LANGEVIN_RETURN_IF_ERROR(CheckRange(options.threshold_max, "--threshold_max", 0, 1e6));
  LANGEVIN_RETURN_IF_ERROR(CheckRange(options.shift, "--shift", 1e-3, 1e3));
  if (options.order.has_value() && (*options.order < 1 || *options.order > 3)) {
    return Refused(absl::StrCat("--order ", *options.order), "must be 1, 2 or 3");
  }
  if (options.corrector_steps.has_value() &&
      (*options.corrector_steps < 0 || *options.corrector_steps > 10)) {
    return Refused(absl::StrCat("--corrector_steps ", *options.corrector_steps),
                   "must be from 0 to 10");
  }
  return absl::OkStatus();
}

// --spacing as fields of a kDiscrete config.
absl::Status ApplyDiscreteSpacing(const std::string& spacing, SchedulerConfig& config) {
  if (spacing == "uniform") {
    return Refused("--spacing uniform",
                   "is for models with continuous time; this one has time steps: linspace");
  }
  config.use_karras_sigmas = spacing == "karras";
  config.use_exponential_sigmas = spacing == "exponential";
  config.use_beta_sigmas = spacing == "beta";
  config.use_lu_lambdas = false;
  config.interpolation_type = "linear";
  if (spacing == "leading" || spacing == "trailing" || spacing == "linspace") {
    config.timestep_spacing = spacing;
  }
  return absl::OkStatus();
}

absl::StatusOr<Spacing> ContinuousSpacing(const SamplerRequest& request) {
  if (!request.options.spacing.has_value()) {
    return request.name == "pc" ? Spacing::kUniform : Spacing::kDefault;
  }
  const std::string& spacing = *request.options.spacing;
  if (spacing == "karras") return Spacing::kKarras;
  if (spacing == "exponential") return Spacing::kExponential;
  if (spacing == "beta") return Spacing::kBeta;
  if (spacing == "uniform") return Spacing::kUniform;
  return Refused(absl::StrCat("--spacing ", spacing),
                 "is for models with a table of time steps; this one has karras, exponential, beta "
                 "and uniform");
}

bool IsFlow(const SamplerRequest& request) {
  const ForwardProcess& process = *request.formulation.process;
  return !request.is_discrete && process.Alpha(process.end_time()) < 1e-9;
}

GridStyle StyleOf(const std::string& name) {
  if (name == "ddim") return GridStyle::kDdim;
  if (name == "ddpm" || name == "pc") return GridStyle::kDdpm;
  return name.starts_with("dpmpp") || name == "unipc" ? GridStyle::kDpm : GridStyle::kEuler;
}

// The class's sampler takes noise that is a little larger than the paper's.
void ScaleAsEdmClasses(const SamplerRequest& request, TimeGrid& grid) {
  if (FamilyOf(request.config) != SchedulerFamily::kEdm ||
      !(request.name == "euler" || request.name.starts_with("dpmpp"))) {
    return;
  }
  grid.initial_scale = std::hypot(*request.config.sigma_max, 1);
}

absl::StatusOr<TimeGrid> GridFor(const SamplerRequest& request) {
  SchedulerConfig config = request.config;
  const ForwardProcess& process = *request.formulation.process;
  const bool is_table = FamilyOf(config) == SchedulerFamily::kDiscrete;
  if (request.options.shift.has_value()) {
    if (!IsFlow(request)) {
      return Refused("--shift", "is for flow models (FlowMatch*, linear, trigonometric)");
    }
    config.shift = config.flow_shift = *request.options.shift;
    config.use_dynamic_shifting = false;
  }
  if (config.use_dynamic_shifting) {
    return Refused(absl::StrCat(config.class_name, ": use_dynamic_shifting"),
                   "takes its shift from a text-to-image pipeline; give --shift");
  }
  if (is_table && !(config.use_flow_sigmas && StyleOf(request.name) != GridStyle::kDpm)) {
    if (request.options.spacing.has_value()) {
      LANGEVIN_RETURN_IF_ERROR(ApplyDiscreteSpacing(*request.options.spacing, config));
    }
    if (request.name == "rk45") {
      config.timestep_spacing = "linspace";
      config.use_karras_sigmas = config.use_exponential_sigmas = config.use_beta_sigmas = false;
    }
    return DiscreteGrid(config, process, StyleOf(request.name), request.steps);
  }
  if (is_table) config.shift = config.flow_shift;  // A flow model under a solver's class.
  LANGEVIN_ASSIGN_OR_RETURN(const Spacing spacing, ContinuousSpacing(request));
  LANGEVIN_ASSIGN_OR_RETURN(TimeGrid grid, ContinuousGrid(config, process, spacing, request.steps));
  ScaleAsEdmClasses(request, grid);
  return grid;
}

// The config's clipping as the sampler's class would take it, or the options'.
Clipping ClippingFor(const SamplerRequest& request) {
  const SchedulerConfig& config = request.config;
  const SamplerOptions& options = request.options;
  if (options.clip.has_value() || options.thresholding.has_value()) {
    return {.range = options.clip.value_or(0),
            .quantile = options.thresholding.value_or(0),
            .threshold_max = options.threshold_max.value_or(config.sample_max_value)};
  }
  const bool is_ddim = request.name == "ddim" || request.name == "ddpm";
  const bool is_solver = request.name.starts_with("dpmpp") || request.name == "unipc";
  const bool is_table = FamilyOf(config) == SchedulerFamily::kDiscrete && !config.use_flow_sigmas;
  Clipping clipping{.threshold_max = config.sample_max_value};
  if (config.thresholding && ((is_ddim && is_table) || is_solver)) {
    clipping.quantile = config.dynamic_thresholding_ratio;
  } else if (is_table && config.clip_sample) {
    // Heun's class does not clip where the field is missing; the others do.
    const bool has_field = config.class_name == "DDPMScheduler" ||
                           config.class_name == "DDIMScheduler" ||
                           config.class_name == "HeunDiscreteScheduler";
    if (is_ddim || (request.name == "heun" && has_field)) clipping.range = config.clip_sample_range;
  }
  return clipping;
}

absl::StatusOr<std::unique_ptr<Sampler>> MakeDpmSolver(const SamplerRequest& request,
                                                       TimeGrid grid) {
  const SchedulerConfig& config = request.config;
  DpmSolverOptions options{.lower_order_final = config.lower_order_final,
                           .euler_at_final = config.euler_at_final};
  options.is_heun = config.solver_type == "heun" && config.class_name != "UniPCMultistepScheduler";
  if (request.name == kOwnDpmSolver) {
    if (config.algorithm_type == "dpmsolver" || config.algorithm_type == "sde-dpmsolver") {
      return Refused(absl::StrCat(config.class_name, ": algorithm_type ", config.algorithm_type),
                     "is deprecated in diffusers and not supported; give --sampler dpmpp_2m or "
                     "dpmpp_2m_sde, which are its successors");
    }
    options.order = static_cast<int>(config.solver_order);
    options.is_stochastic = config.algorithm_type == "sde-dpmsolver++";
  } else {
    options.order = request.name == "dpmpp_3m" ? 3 : 2;
    options.is_stochastic = request.name == "dpmpp_2m_sde";
  }
  return MakeDpmSolverSampler(std::move(grid), options);
}

absl::StatusOr<std::unique_ptr<Sampler>> MakeUniPc(const SamplerRequest& request, TimeGrid grid) {
  const SchedulerConfig& config = request.config;
  if (request.is_own && config.has_solver_p) {
    return Refused(absl::StrCat(config.class_name, ": solver_p"),
                   "(a scheduler inside the scheduler) is not supported; give --sampler unipc");
  }
  if (request.is_own && !config.predict_x0) {
    return Refused(absl::StrCat(config.class_name, ": predict_x0 false"),
                   "is not supported: samplers work with x_0; give --sampler unipc");
  }
  return MakeUniPcSampler(
      std::move(grid),
      {.order = static_cast<int>(request.options.order.value_or(
           request.config.class_name == "UniPCMultistepScheduler" ? config.solver_order : 2)),
       .is_bh1 = config.solver_type == "bh1" && config.class_name == "UniPCMultistepScheduler",
       .lower_order_final = config.lower_order_final,
       .disable_corrector = config.disable_corrector});
}

absl::StatusOr<std::unique_ptr<Sampler>> MakePredictorCorrector(const SamplerRequest& request,
                                                                TimeGrid grid) {
  const SchedulerConfig& config = request.config;
  const bool is_vp = FamilyOf(config) == SchedulerFamily::kScoreVp;
  const std::string predictor =
      request.options.predictor.value_or(is_vp ? "euler_maruyama" : "reverse_diffusion");
  if (predictor != "euler_maruyama" && predictor != "reverse_diffusion") {
    return Refused(absl::StrCat("--predictor ", predictor),
                   "must be reverse_diffusion or euler_maruyama");
  }
  if (IsFlow(request)) {
    return Refused("--sampler pc",
                   "the SDE of a flow that begins without signal has no finite drift there; "
                   "euler_ancestral is the stochastic sampler for such models");
  }
  if (request.is_discrete && predictor == "euler_maruyama") {
    return Refused("--predictor euler_maruyama",
                   "needs continuous time; models with time steps have reverse_diffusion");
  }
  const bool is_ve = FamilyOf(config) == SchedulerFamily::kScoreVe;
  return MakePredictorCorrectorSampler(
      std::move(grid),
      {.is_euler_maruyama = predictor == "euler_maruyama",
       .corrector_steps = request.options.corrector_steps.value_or(is_vp   ? 0
                                                                   : is_ve ? config.correct_steps
                                                                           : 1),
       .snr = request.options.snr.value_or(is_ve ? config.snr : 0.16)});
}

absl::StatusOr<std::unique_ptr<Sampler>> MakeUnclipped(const SamplerRequest& request,
                                                       TimeGrid grid) {
  const SamplerOptions& options = request.options;
  const std::string& name = request.name;
  if (name == "ddpm") return MakeDdpmSampler(std::move(grid), request.config.variance_type);
  if (name == "euler_ancestral") {
    return MakeDdimSampler(std::move(grid), options.eta.value_or(1), Clipping());
  }
  if (name == "euler" || name == "heun") {
    if (name == "euler" && request.config.stochastic_sampling && !options.churn.has_value()) {
      return MakeRenoisingSampler(std::move(grid));
    }
    return MakeKarrasSampler(
        std::move(grid), request.formulation.process,
        name == "heun" ? KarrasOrder::kHeun : KarrasOrder::kEuler,
        {.churn = options.churn.value_or(0),
         .min = options.churn_min.value_or(0),
         .max = options.churn_max.value_or(std::numeric_limits<double>::infinity()),
         .noise = options.churn_noise.value_or(1)});
  }
  if (name == "unipc") return MakeUniPc(request, std::move(grid));
  if (name == "pc") return MakePredictorCorrector(request, std::move(grid));
  if (name == "rk45") {
    if (request.config.rescale_betas_zero_snr) {
      return Refused("--sampler rk45",
                     "between the last two time steps of a model with rescale_betas_zero_snr no "
                     "noise level is defined; take another sampler");
    }
    return MakeRungeKuttaSampler(grid, request.formulation.process,
                                 options.tolerance.value_or(1e-5));
  }
  return MakeDpmSolver(request, std::move(grid));
}

}  // namespace

std::string SamplerNames() { return absl::StrJoin(kNames, ", "); }

std::string DefaultSampler(const SchedulerConfig& config) {
  const std::string& name = config.class_name;
  if (name == "EulerDiscreteScheduler") return "euler";
  if (name == "EulerAncestralDiscreteScheduler") return "euler_ancestral";
  if (name == "HeunDiscreteScheduler") return "heun";
  if (name == "UniPCMultistepScheduler") return "unipc";
  if (name == "DPMSolverMultistepScheduler" || name == "EDMDPMSolverMultistepScheduler") {
    return kOwnDpmSolver;
  }
  return FamilyOf(config) == SchedulerFamily::kDiscrete ? "ddim" : "heun";
}

int64_t DefaultSteps(const std::string& name, const SchedulerConfig& config) {
  int64_t steps = 50;
  if (name == "heun") steps = 18;
  if (name == "unipc" || name.starts_with("dpmpp")) steps = 20;
  if (name == "rk45") steps = 2;  // The ends of its way.
  if (name == "pc" || name == "ddpm") steps = 1000;
  if (name == "ddpm" && FamilyOf(config) == SchedulerFamily::kDiscrete) steps = 50;
  return FamilyOf(config) == SchedulerFamily::kDiscrete
             ? std::min(steps, config.num_train_timesteps)
             : steps;
}

absl::StatusOr<std::unique_ptr<Sampler>> MakeSampler(const SamplerOptions& options,
                                                     const SchedulerConfig& config) {
  SamplerRequest request{.options = options,
                         .name = options.name.empty() ? DefaultSampler(config) : options.name,
                         .config = config};
  request.is_own = options.name.empty();
  if (!request.is_own && std::find(kNames.begin(), kNames.end(), options.name) == kNames.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--sampler ", options.name, ": must be one of ", SamplerNames()));
  }
  LANGEVIN_RETURN_IF_ERROR(CheckOptions(request));
  LANGEVIN_ASSIGN_OR_RETURN(request.formulation, FormulationFrom(config));
  request.is_discrete = FamilyOf(config) == SchedulerFamily::kDiscrete && !config.use_flow_sigmas;
  request.steps = options.steps.value_or(DefaultSteps(request.name, config));
  LANGEVIN_ASSIGN_OR_RETURN(TimeGrid grid, GridFor(request));
  if (grid.levels.front().alpha == 0 && (request.formulation.target == Target::kEpsilon ||
                                         request.formulation.target == Target::kScore)) {
    return absl::InvalidArgumentError(absl::StrCat(
        config.class_name,
        ": sampling begins without signal (rescale_betas_zero_snr), of which a prediction of the "
        "noise says nothing; take --spacing leading or a model that predicts v"));
  }
  const Clipping clipping = ClippingFor(request);
  if (request.name == "ddim") {
    return MakeDdimSampler(std::move(grid), options.eta.value_or(0), clipping);
  }
  LANGEVIN_ASSIGN_OR_RETURN(std::unique_ptr<Sampler> sampler,
                            MakeUnclipped(request, std::move(grid)));
  return WithClipping(std::move(sampler), clipping);
}

absl::StatusOr<std::unique_ptr<Sampler>> MakeSampler(const std::string& name, int64_t steps,
                                                     const SchedulerConfig& config) {
  SamplerOptions options{.name = name};
  options.steps = steps;
  return MakeSampler(options, config);
}

}  // namespace langevin::diffusion
