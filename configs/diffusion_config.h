// What is learned: the forward process, what the network says of it, how its errors count, and at
// which times. Fields and defaults are those of run_config.proto, which documents them.
//
// Plain values. Those of a RunConfig that was loaded are valid.
#ifndef LANGEVIN_CONFIGS_DIFFUSION_CONFIG_H_
#define LANGEVIN_CONFIGS_DIFFUSION_CONFIG_H_

#include <cstdint>
#include <optional>
#include <variant>

#include "configs/config_problem.h"

namespace langevin::configs {

enum class Prediction { kEpsilon, kSample, kVPrediction, kScore, kVelocity, kPreconditioned };
enum class BetaSchedule { kLinear, kScaledLinear, kCosine, kSigmoid };
enum class Variance { kFixedSmall, kFixedLarge, kLearnedRange };
enum class FlowPath { kStraight, kTrigonometric };
enum class SdeKind { kVp, kSubVp, kVe };
enum class Weighting { kSimple, kMinSnr, kSoftMinSnr, kP2, kEdm, kLikelihood };
enum class TimeDistribution { kUniform, kLogNormal, kLogitNormal, kImportance };

struct DdpmConfig {
  int64_t num_train_timesteps = 1000;
  BetaSchedule beta_schedule = BetaSchedule::kLinear;
  double beta_start = 1e-4;
  double beta_end = 0.02;
  Prediction prediction = Prediction::kEpsilon;
  bool clip_sample = true;
  bool rescale_betas_zero_snr = false;
  Variance variance = Variance::kFixedSmall;

  friend bool operator==(const DdpmConfig&, const DdpmConfig&) = default;
};

struct EdmConfig {
  double sigma_min = 0.002;
  double sigma_max = 80;
  double rho = 7;
  Prediction prediction = Prediction::kPreconditioned;

  friend bool operator==(const EdmConfig&, const EdmConfig&) = default;
};

struct FlowConfig {
  FlowPath path = FlowPath::kStraight;
  Prediction prediction = Prediction::kVelocity;
  double shift = 1;

  friend bool operator==(const FlowConfig&, const FlowConfig&) = default;
};

struct SdeConfig {
  SdeKind kind = SdeKind::kVp;
  double beta_min = 0.1;
  double beta_max = 20;
  double sigma_min = 0.01;
  double sigma_max = 50;
  Prediction prediction = Prediction::kEpsilon;

  friend bool operator==(const SdeConfig&, const SdeConfig&) = default;
};

struct LossConfig {
  Weighting weighting = Weighting::kSimple;
  std::optional<double> gamma;  // Not set: the weighting's own.
  double k = 1;
  bool uncertainty = false;

  friend bool operator==(const LossConfig&, const LossConfig&) = default;
};

struct TimesConfig {
  std::optional<TimeDistribution> distribution;  // Not set: the process's own.
  std::optional<double> mean, deviation;         // Not set: the distribution's own.
  bool stratified = false;
  double smallest = 1e-5;

  friend bool operator==(const TimesConfig&, const TimesConfig&) = default;
};

using ProcessConfig = std::variant<DdpmConfig, EdmConfig, FlowConfig, SdeConfig>;

struct DiffusionConfig {
  std::optional<ProcessConfig> process;  // Not set: DDPM, or with --init the folder's.
  LossConfig loss;
  TimesConfig times;
  std::optional<double> data_sigma;  // Not set: measured when the run begins.

  friend bool operator==(const DiffusionConfig&, const DiffusionConfig&) = default;
};

Prediction PredictionOf(const ProcessConfig& process);
// Whether the network has a second half of channels for the variance.
bool LearnsVariance(const ProcessConfig& process);
// Whether the standard deviation of the data plays a part.
bool NeedsDataSigma(const DiffusionConfig& config);
// What is drawn from where nothing is set.
TimeDistribution TimeDistributionOf(const DiffusionConfig& config);

// The first thing that makes the config impossible, or nothing. Fields are named from the run
// config down.
std::optional<ConfigProblem> FindProblem(const DiffusionConfig& config);

}  // namespace langevin::configs

#endif  // LANGEVIN_CONFIGS_DIFFUSION_CONFIG_H_
