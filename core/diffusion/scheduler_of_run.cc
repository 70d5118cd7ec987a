// Between what a run learns and what diffusers calls it, both ways.
//
// diffusers has a class for one prediction of each family. All else is LangevinScheduler, which
// says everything in the fields of NoiseLevel and Target.
#include <array>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/diffusion/scheduler_config.h"

namespace langevin::diffusion {
namespace {

using configs::BetaSchedule;
using configs::DdpmConfig;
using configs::DiffusionConfig;
using configs::EdmConfig;
using configs::FlowConfig;
using configs::FlowPath;
using configs::Prediction;
using configs::SdeConfig;
using configs::SdeKind;
using configs::Variance;

// ScoreSdeVp tells networks t (T - 1), and ours are told 999 t.
constexpr int64_t kScoreSdeSteps = 1000;

constexpr std::array<std::pair<BetaSchedule, const char*>, 4> kBetaSchedules = {
    {{BetaSchedule::kLinear, "linear"},
     {BetaSchedule::kScaledLinear, "scaled_linear"},
     {BetaSchedule::kCosine, "squaredcos_cap_v2"},
     {BetaSchedule::kSigmoid, "sigmoid"}}};

constexpr std::array<std::pair<Prediction, const char*>, 6> kTargets = {
    {{Prediction::kEpsilon, "epsilon"},
     {Prediction::kSample, "sample"},
     {Prediction::kVPrediction, "v"},
     {Prediction::kScore, "score"},
     {Prediction::kVelocity, "velocity"},
     {Prediction::kPreconditioned, "preconditioned"}}};

constexpr std::array<std::pair<Prediction, const char*>, 3> kPredictionTypes = {
    {{Prediction::kEpsilon, "epsilon"},
     {Prediction::kSample, "sample"},
     {Prediction::kVPrediction, "v_prediction"}}};

template <typename Table, typename Value>
std::string NameIn(const Table& table, Value value) {
  for (const auto& [candidate, name] : table) {
    if (candidate == value) return name;
  }
  return "";
}

// False if `name` is not in `table`.
template <typename Table, typename Value>
bool FindName(const Table& table, const std::string& name, Value& value) {
  for (const auto& [candidate, its_name] : table) {
    if (name != its_name) continue;
    value = candidate;
    return true;
  }
  return false;
}

SchedulerConfig OwnScheduler(std::string process, Prediction prediction, double data_sigma) {
  SchedulerConfig scheduler = SchedulerConfigOf("LangevinScheduler");
  scheduler.process = std::move(process);
  scheduler.target = NameIn(kTargets, prediction);
  scheduler.sigma_data = data_sigma;
  return scheduler;
}

struct SchedulerOf {
  double data_sigma;

  SchedulerConfig operator()(const DdpmConfig& ddpm) const {
    SchedulerConfig scheduler = SchedulerConfigOf("DDPMScheduler");
    scheduler.num_train_timesteps = ddpm.num_train_timesteps;
    scheduler.beta_start = ddpm.beta_start;
    scheduler.beta_end = ddpm.beta_end;
    scheduler.beta_schedule = NameIn(kBetaSchedules, ddpm.beta_schedule);
    scheduler.prediction_type = NameIn(kPredictionTypes, ddpm.prediction);
    scheduler.clip_sample = ddpm.clip_sample;
    scheduler.rescale_betas_zero_snr = ddpm.rescale_betas_zero_snr;
    // Sampling must begin at the very last step, where nothing is left of the image (Lin et al.
    // 2023, section 3.3).
    if (ddpm.rescale_betas_zero_snr) scheduler.timestep_spacing = "trailing";
    scheduler.variance_type = ddpm.variance == Variance::kFixedSmall   ? "fixed_small"
                              : ddpm.variance == Variance::kFixedLarge ? "fixed_large"
                                                                       : "learned_range";
    return scheduler;
  }

  SchedulerConfig operator()(const EdmConfig& edm) const {
    SchedulerConfig scheduler = edm.prediction == Prediction::kPreconditioned
                                    ? SchedulerConfigOf("EDMEulerScheduler")
                                    : OwnScheduler("edm", edm.prediction, data_sigma);
    scheduler.sigma_min = edm.sigma_min;
    scheduler.sigma_max = edm.sigma_max;
    scheduler.rho = edm.rho;
    scheduler.sigma_data = data_sigma;
    return scheduler;
  }

  SchedulerConfig operator()(const FlowConfig& flow) const {
    const bool is_straight = flow.path == FlowPath::kStraight;
    SchedulerConfig scheduler =
        is_straight && flow.prediction == Prediction::kVelocity
            ? SchedulerConfigOf("FlowMatchEulerDiscreteScheduler")
            : OwnScheduler(is_straight ? "linear" : "trigonometric", flow.prediction, data_sigma);
    scheduler.shift = flow.shift;
    return scheduler;
  }

  SchedulerConfig operator()(const SdeConfig& sde) const {
    SchedulerConfig scheduler;
    if (sde.kind == SdeKind::kVp && sde.prediction == Prediction::kEpsilon) {
      scheduler = SchedulerConfigOf("ScoreSdeVpScheduler");
      scheduler.num_train_timesteps = kScoreSdeSteps;
    } else if (sde.kind == SdeKind::kVe && sde.prediction == Prediction::kScore) {
      scheduler = SchedulerConfigOf("ScoreSdeVeScheduler");
      scheduler.num_train_timesteps = kScoreSdeSteps;
    } else {
      scheduler = OwnScheduler(sde.kind == SdeKind::kVp      ? "vp"
                               : sde.kind == SdeKind::kSubVp ? "sub_vp"
                                                             : "ve",
                               sde.prediction, data_sigma);
    }
    scheduler.beta_min = sde.beta_min;
    scheduler.beta_max = sde.beta_max;
    // VP and sub-VP have no use for them, and the class's defaults stay.
    if (sde.kind == SdeKind::kVe) {
      scheduler.sigma_min = sde.sigma_min;
      scheduler.sigma_max = sde.sigma_max;
    }
    return scheduler;
  }
};

absl::Status CannotTrain(const std::string& what) {
  return absl::InvalidArgumentError(
      absl::StrCat(what, " cannot be trained; give diffusion { ... } in the config"));
}

absl::StatusOr<DiffusionConfig> DiscreteFrom(const SchedulerConfig& scheduler) {
  if (scheduler.use_flow_sigmas)
    return DiffusionConfig{.process = FlowConfig{.shift = scheduler.flow_shift}};
  DdpmConfig ddpm;
  ddpm.num_train_timesteps = scheduler.num_train_timesteps;
  ddpm.beta_start = scheduler.beta_start;
  ddpm.beta_end = scheduler.beta_end;
  ddpm.clip_sample = scheduler.clip_sample;
  ddpm.rescale_betas_zero_snr = scheduler.rescale_betas_zero_snr;
  if (!FindName(kBetaSchedules, scheduler.beta_schedule, ddpm.beta_schedule)) {
    return CannotTrain(absl::StrCat("beta_schedule ", scheduler.beta_schedule));
  }
  if (!FindName(kPredictionTypes, scheduler.prediction_type, ddpm.prediction)) {
    return CannotTrain(absl::StrCat("prediction_type ", scheduler.prediction_type));
  }
  if (!scheduler.trained_betas.empty()) return CannotTrain("trained_betas");
  if (scheduler.class_name == "DDPMScheduler") {
    if (scheduler.variance_type == "learned") return CannotTrain("variance_type learned");
    ddpm.variance = scheduler.variance_type == "learned_range" ? Variance::kLearnedRange
                    : absl::StartsWith(scheduler.variance_type, "fixed_large")
                        ? Variance::kFixedLarge
                        : Variance::kFixedSmall;
  }
  return DiffusionConfig{.process = ddpm};
}

absl::StatusOr<DiffusionConfig> OwnFrom(const SchedulerConfig& scheduler) {
  Prediction prediction = Prediction::kEpsilon;
  if (!FindName(kTargets, scheduler.target, prediction)) {
    return CannotTrain(absl::StrCat("target ", scheduler.target));
  }
  DiffusionConfig config{.data_sigma = scheduler.sigma_data};
  const std::string& process = scheduler.process;
  if (process == "edm") {
    config.process = EdmConfig{.sigma_min = *scheduler.sigma_min,
                               .sigma_max = *scheduler.sigma_max,
                               .rho = scheduler.rho,
                               .prediction = prediction};
  } else if (process == "linear" || process == "trigonometric") {
    config.process =
        FlowConfig{.path = process == "linear" ? FlowPath::kStraight : FlowPath::kTrigonometric,
                   .prediction = prediction,
                   .shift = scheduler.shift};
  } else {
    SdeConfig sde{
        .beta_min = scheduler.beta_min, .beta_max = scheduler.beta_max, .prediction = prediction};
    sde.kind = process == "vp"       ? SdeKind::kVp
               : process == "sub_vp" ? SdeKind::kSubVp
                                     : SdeKind::kVe;
    if (sde.kind == SdeKind::kVe) {
      sde.sigma_min = *scheduler.sigma_min;
      sde.sigma_max = *scheduler.sigma_max;
    }
    config.process = sde;
  }
  return config;
}

}  // namespace

SchedulerConfig SchedulerConfigFrom(const DiffusionConfig& diffusion) {
  return std::visit(SchedulerOf{.data_sigma = diffusion.data_sigma.value_or(0.5)},
                    diffusion.process.value_or(DdpmConfig()));
}

absl::StatusOr<DiffusionConfig> DiffusionConfigFrom(const SchedulerConfig& scheduler) {
  switch (FamilyOf(scheduler)) {
    case SchedulerFamily::kDiscrete:
      return DiscreteFrom(scheduler);
    case SchedulerFamily::kEdm:
      return DiffusionConfig{.process = EdmConfig{.sigma_min = *scheduler.sigma_min,
                                                  .sigma_max = *scheduler.sigma_max,
                                                  .rho = scheduler.rho},
                             .data_sigma = scheduler.sigma_data};
    case SchedulerFamily::kFlow:
      if (scheduler.num_train_timesteps != 1000) {
        return CannotTrain("num_train_timesteps other than 1000");
      }
      return DiffusionConfig{.process = FlowConfig{.shift = scheduler.shift}};
    case SchedulerFamily::kScoreVe:
      return DiffusionConfig{.process = SdeConfig{.kind = SdeKind::kVe,
                                                  .sigma_min = *scheduler.sigma_min,
                                                  .sigma_max = *scheduler.sigma_max,
                                                  .prediction = Prediction::kScore}};
    case SchedulerFamily::kScoreVp:
      if (scheduler.num_train_timesteps != kScoreSdeSteps) {
        return CannotTrain(absl::StrCat("num_train_timesteps other than ", kScoreSdeSteps));
      }
      return DiffusionConfig{
          .process = SdeConfig{.beta_min = scheduler.beta_min, .beta_max = scheduler.beta_max}};
    case SchedulerFamily::kLangevin:
      return OwnFrom(scheduler);
  }
  return CannotTrain(scheduler.class_name);
}

}  // namespace langevin::diffusion
