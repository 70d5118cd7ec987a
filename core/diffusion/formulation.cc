// What a scheduler's config says of the network that was trained for it.
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/diffusion/scheduler_config.h"

namespace langevin::diffusion {
namespace {

// A process whose networks are told `scale` times what those of `process` are.
class RetimedProcess : public ForwardProcess {
 public:
  RetimedProcess(std::unique_ptr<ForwardProcess> process, double scale)
      : process_(std::move(process)), scale_(scale) {}

  double Alpha(double t) const override { return process_->Alpha(t); }
  double Sigma(double t) const override { return process_->Sigma(t); }
  double AlphaSlope(double t) const override { return process_->AlphaSlope(t); }
  double SigmaSlope(double t) const override { return process_->SigmaSlope(t); }
  double TimeOfRatio(double ratio) const override { return process_->TimeOfRatio(ratio); }
  double end_time() const override { return process_->end_time(); }
  double NetworkTime(double t) const override { return scale_ * process_->NetworkTime(t); }

 private:
  const std::unique_ptr<ForwardProcess> process_;
  const double scale_;
};

std::shared_ptr<const ForwardProcess> Retimed(std::unique_ptr<ForwardProcess> process,
                                              double scale) {
  if (scale == 1) return process;
  return std::make_shared<RetimedProcess>(std::move(process), scale);
}

std::shared_ptr<const ForwardProcess> LinearFlow(const SchedulerConfig& config) {
  return Retimed(MakeLinearFlowProcess(), static_cast<double>(config.num_train_timesteps) / 1000);
}

absl::StatusOr<Formulation> DiscreteFormulation(const SchedulerConfig& config) {
  const bool is_flow = config.prediction_type == "flow_prediction";
  if (is_flow != config.use_flow_sigmas) {
    return absl::InvalidArgumentError(absl::StrCat(
        config.class_name,
        ": prediction_type flow_prediction and use_flow_sigmas go together; set both or neither"));
  }
  if (is_flow) return Formulation{.process = LinearFlow(config), .target = Target::kVelocity};
  return Formulation{.process = MakeDiscreteProcess(MakeNoiseSchedule(config)),
                     .target = config.prediction_type == "epsilon"  ? Target::kEpsilon
                               : config.prediction_type == "sample" ? Target::kSample
                                                                    : Target::kV,
                     .learns_variance = config.variance_type.starts_with("learned")};
}

Formulation LangevinFormulation(const SchedulerConfig& config) {
  Formulation formulation{.process = nullptr,
                          .data_sigma = config.sigma_data,
                          .learns_variance = config.learned_variance};
  if (config.process == "edm") {
    formulation.process = MakeEdmProcess(*config.sigma_max);
  } else if (config.process == "vp") {
    formulation.process = MakeVpProcess(config.beta_min, config.beta_max);
  } else if (config.process == "sub_vp") {
    formulation.process = MakeSubVpProcess(config.beta_min, config.beta_max);
  } else if (config.process == "ve") {
    formulation.process = MakeVeProcess(*config.sigma_min, *config.sigma_max);
  } else if (config.process == "linear") {
    formulation.process = MakeLinearFlowProcess();
  } else {
    formulation.process = MakeTrigonometricProcess();
  }
  formulation.target = config.target == "epsilon"    ? Target::kEpsilon
                       : config.target == "sample"   ? Target::kSample
                       : config.target == "v"        ? Target::kV
                       : config.target == "score"    ? Target::kScore
                       : config.target == "velocity" ? Target::kVelocity
                                                     : Target::kPreconditioned;
  return formulation;
}

}  // namespace

absl::StatusOr<Formulation> FormulationFrom(const SchedulerConfig& config) {
  switch (FamilyOf(config)) {
    case SchedulerFamily::kDiscrete:
      return DiscreteFormulation(config);
    case SchedulerFamily::kEdm:
      // diffusers calls EDM's F "epsilon"; its "v_prediction" is -F.
      if (config.prediction_type != "epsilon") {
        return absl::InvalidArgumentError(
            absl::StrCat(config.class_name, ": prediction_type ", config.prediction_type,
                         " (a preconditioned network with the opposite sign) is not supported; "
                         "negate the last layer's weights and write epsilon"));
      }
      return Formulation{.process = MakeEdmProcess(*config.sigma_max),
                         .target = Target::kPreconditioned,
                         .data_sigma = config.sigma_data};
    case SchedulerFamily::kFlow:
      return Formulation{.process = LinearFlow(config), .target = Target::kVelocity};
    case SchedulerFamily::kScoreVe:
      return Formulation{.process = MakeVeProcess(*config.sigma_min, *config.sigma_max),
                         .target = Target::kScore};
    case SchedulerFamily::kScoreVp: {
      // The score is taken as -output / sigma: the output is epsilon. The network is told
      // t (T - 1).
      const double scale = static_cast<double>(config.num_train_timesteps - 1) / 999;
      return Formulation{.process = Retimed(MakeVpProcess(config.beta_min, config.beta_max), scale),
                         .target = Target::kEpsilon};
    }
    case SchedulerFamily::kLangevin:
      return LangevinFormulation(config);
  }
  return absl::InternalError("unknown scheduler family");
}

}  // namespace langevin::diffusion
