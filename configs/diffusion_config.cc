// Which combinations of process, prediction, weighting and times there are, and why not the others.
#include "configs/diffusion_config.h"

#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "configs/config_checks.h"

namespace langevin::configs {
namespace {

using Problem = std::optional<ConfigProblem>;

constexpr int64_t kMostTimesteps = 1'000'000;

const char* NameOf(Prediction prediction) {
  switch (prediction) {
    case Prediction::kEpsilon:
      return "EPSILON";
    case Prediction::kSample:
      return "SAMPLE";
    case Prediction::kVPrediction:
      return "V_PREDICTION";
    case Prediction::kScore:
      return "SCORE";
    case Prediction::kVelocity:
      return "VELOCITY";
    case Prediction::kPreconditioned:
      return "PRECONDITIONED";
  }
  return "";
}

const char* NameOf(TimeDistribution distribution) {
  switch (distribution) {
    case TimeDistribution::kUniform:
      return "UNIFORM";
    case TimeDistribution::kLogNormal:
      return "LOG_NORMAL";
    case TimeDistribution::kLogitNormal:
      return "LOGIT_NORMAL";
    case TimeDistribution::kImportance:
      return "IMPORTANCE";
  }
  return "";
}

Problem Refuse(std::string field, const std::string& value, const std::string& why) {
  return ConfigProblem{std::move(field), absl::StrCat("value ", value, ": ", why)};
}

Problem FindProblemInProcess(const DdpmConfig& config) {
  const std::string path = "diffusion.ddpm.";
  for (Problem problem :
       {InRange(path + "num_train_timesteps", config.num_train_timesteps, 1, kMostTimesteps),
        // Also where COSINE does not use them: a value that could never be right is a mistake.
        Require(config.beta_start > 0 && config.beta_start < 1, path + "beta_start",
                config.beta_start, "above 0 and below 1"),
        Require(
            config.beta_end > config.beta_start && config.beta_end < 1, path + "beta_end",
            config.beta_end,
            absl::StrFormat("above beta_start, which is %.9g, and below 1", config.beta_start))}) {
    if (problem.has_value()) return problem;
  }
  const Prediction prediction = config.prediction;
  if (prediction == Prediction::kScore || prediction == Prediction::kVelocity ||
      prediction == Prediction::kPreconditioned) {
    return Refuse(path + "prediction", NameOf(prediction),
                  "must be EPSILON, SAMPLE or V_PREDICTION: no program that samples DDPM models "
                  "knows others");
  }
  if (config.rescale_betas_zero_snr && prediction == Prediction::kEpsilon) {
    return Refuse(path + "rescale_betas_zero_snr", "true",
                  "cannot be with prediction EPSILON, which at the last step, pure noise, says "
                  "nothing of the image; use V_PREDICTION or SAMPLE");
  }
  if (config.rescale_betas_zero_snr && config.num_train_timesteps < 2) {
    return Refuse(path + "rescale_betas_zero_snr", "true", "needs num_train_timesteps above 1");
  }
  return std::nullopt;
}

Problem SigmasInOrder(const std::string& path, double sigma_min, double sigma_max) {
  if (Problem problem = Require(sigma_min > 0 && std::isfinite(sigma_min), path + "sigma_min",
                                sigma_min, "a finite number above 0")) {
    return problem;
  }
  return Require(sigma_max > sigma_min && std::isfinite(sigma_max), path + "sigma_max", sigma_max,
                 absl::StrFormat("a finite number above sigma_min, which is %.9g", sigma_min));
}

Problem FindProblemInProcess(const EdmConfig& config) {
  const std::string path = "diffusion.edm.";
  if (Problem problem = SigmasInOrder(path, config.sigma_min, config.sigma_max)) return problem;
  if (Problem problem = Require(config.rho >= 1 && config.rho <= 100, path + "rho", config.rho,
                                "from 1 to 100")) {
    return problem;
  }
  if (config.prediction == Prediction::kVelocity || config.prediction == Prediction::kVPrediction) {
    return Refuse(path + "prediction", NameOf(config.prediction),
                  "must be PRECONDITIONED, EPSILON, SAMPLE or SCORE: the image keeps its size, so "
                  "that the others would be of very different sizes at different noise");
  }
  return std::nullopt;
}

Problem FindProblemInProcess(const FlowConfig& config) {
  const std::string path = "diffusion.flow.";
  const Prediction prediction = config.prediction;
  if (prediction != Prediction::kVelocity && prediction != Prediction::kSample &&
      prediction != Prediction::kVPrediction) {
    return Refuse(path + "prediction", NameOf(prediction),
                  "must be VELOCITY, SAMPLE or V_PREDICTION: at t = 1, pure noise, the others say "
                  "nothing of the image");
  }
  if (Problem problem = Require(config.shift >= 0.01 && config.shift <= 100, path + "shift",
                                config.shift, "from 0.01 to 100")) {
    return problem;
  }
  if (config.shift != 1 && config.path == FlowPath::kTrigonometric) {
    return Refuse(path + "shift", absl::StrFormat("%.9g", config.shift),
                  "must be 1 with path TRIGONOMETRIC");
  }
  return std::nullopt;
}

Problem FindProblemInProcess(const SdeConfig& config) {
  const std::string path = "diffusion.sde.";
  for (Problem problem : {Require(config.beta_min > 0 && std::isfinite(config.beta_min),
                                  path + "beta_min", config.beta_min, "a finite number above 0"),
                          Require(config.beta_max > config.beta_min && config.beta_max <= 1000,
                                  path + "beta_max", config.beta_max,
                                  absl::StrFormat("above beta_min, which is %.9g, and at most 1000",
                                                  config.beta_min)),
                          SigmasInOrder(path, config.sigma_min, config.sigma_max)}) {
    if (problem.has_value()) return problem;
  }
  if (config.prediction == Prediction::kVelocity) {
    return Refuse(path + "prediction", "VELOCITY", "must be another: use diffusion { flow { } }");
  }
  if (config.prediction == Prediction::kVPrediction && config.kind != SdeKind::kVp) {
    return Refuse(path + "prediction", "V_PREDICTION",
                  "needs kind VP, where alpha^2 + sigma^2 = 1");
  }
  return std::nullopt;
}

Problem FindProblemInLoss(const LossConfig& config, const ProcessConfig& process) {
  const std::string path = "diffusion.loss.";
  if (config.gamma.has_value()) {
    if (config.weighting == Weighting::kSimple || config.weighting == Weighting::kEdm ||
        config.weighting == Weighting::kLikelihood) {
      return Refuse(path + "gamma", absl::StrFormat("%.9g", *config.gamma),
                    "must not be set: only the weightings MIN_SNR, SOFT_MIN_SNR and P2 have it");
    }
    const bool zero_allowed = config.weighting == Weighting::kP2;
    if (Problem problem = Require(std::isfinite(*config.gamma) &&
                                      (*config.gamma > 0 || (zero_allowed && *config.gamma == 0)),
                                  path + "gamma", *config.gamma, "a finite number above 0")) {
      return problem;
    }
  }
  if (Problem problem = Require(config.k > 0 && std::isfinite(config.k), path + "k", config.k,
                                "a finite number above 0")) {
    return problem;
  }
  const auto* ddpm = std::get_if<DdpmConfig>(&process);
  if (config.weighting == Weighting::kLikelihood) {
    if (ddpm == nullptr && !std::holds_alternative<SdeConfig>(process)) {
      return Refuse(path + "weighting", "LIKELIHOOD",
                    "needs diffusion { ddpm { } } or { sde { } }");
    }
    if (ddpm != nullptr && ddpm->num_train_timesteps < 2) {
      return Refuse(path + "weighting", "LIKELIHOOD",
                    "needs diffusion.ddpm.num_train_timesteps above 1: the variance of a single "
                    "step is 0");
    }
  }
  if (LearnsVariance(process) && config.weighting != Weighting::kSimple &&
      config.weighting != Weighting::kLikelihood) {
    return Refuse(
        "diffusion.ddpm.variance", "LEARNED_RANGE",
        "needs diffusion.loss.weighting SIMPLE (the hybrid loss) or LIKELIHOOD (the bound "
        "alone): they have weightings of their own");
  }
  if (config.uncertainty && config.weighting == Weighting::kLikelihood) {
    return Refuse(path + "uncertainty", "true",
                  "cannot be with weighting LIKELIHOOD: divided by what is learned, the loss is no "
                  "bound any more; use another weighting");
  }
  if (config.uncertainty && LearnsVariance(process)) {
    return Refuse(path + "uncertainty", "true",
                  "cannot be with diffusion.ddpm.variance LEARNED_RANGE, whose hybrid loss has a "
                  "weighting of its own; use FIXED_SMALL or FIXED_LARGE");
  }
  return std::nullopt;
}

Problem FindProblemInTimes(const TimesConfig& config, const ProcessConfig& process,
                           TimeDistribution distribution, const LossConfig& loss) {
  const std::string path = "diffusion.times.";
  if (config.mean.has_value() || config.deviation.has_value()) {
    if (distribution == TimeDistribution::kUniform ||
        distribution == TimeDistribution::kImportance) {
      return ConfigProblem{
          path + (config.mean.has_value() ? "mean" : "deviation"),
          absl::StrCat("must not be set: the distribution ", NameOf(distribution), " has none")};
    }
    if (Problem problem = Require(std::abs(config.mean.value_or(0)) <= 100, path + "mean",
                                  config.mean.value_or(0), "from -100 to 100")) {
      return problem;
    }
    const double deviation = config.deviation.value_or(1);
    if (Problem problem = Require(deviation > 0 && deviation <= 100, path + "deviation", deviation,
                                  "above 0 and at most 100")) {
      return problem;
    }
  }
  const bool is_of_steps =
      distribution == TimeDistribution::kUniform || distribution == TimeDistribution::kImportance;
  if (std::holds_alternative<DdpmConfig>(process) && !is_of_steps) {
    return Refuse(path + "distribution", NameOf(distribution),
                  "must be UNIFORM or IMPORTANCE for ddpm, whose times are steps; weight the loss "
                  "instead");
  }
  if (distribution == TimeDistribution::kImportance &&
      !std::holds_alternative<DdpmConfig>(process)) {
    return Refuse(path + "distribution", "IMPORTANCE",
                  "needs diffusion { ddpm { } }: it remembers the losses of each step, and only "
                  "ddpm's times are steps");
  }
  if (distribution == TimeDistribution::kLogitNormal &&
      !std::holds_alternative<FlowConfig>(process)) {
    return Refuse(path + "distribution", "LOGIT_NORMAL", "needs diffusion { flow { } }");
  }
  if (distribution == TimeDistribution::kUniform && std::holds_alternative<EdmConfig>(process)) {
    return Refuse(path + "distribution", "UNIFORM",
                  "must be LOG_NORMAL for edm: nearly all of [0, sigma_max] is noise");
  }
  if (distribution == TimeDistribution::kImportance && loss.uncertainty) {
    return Refuse(path + "distribution", "IMPORTANCE",
                  "cannot be with diffusion.loss.uncertainty, which makes the losses of all steps "
                  "alike; use UNIFORM");
  }
  if (loss.weighting == Weighting::kLikelihood && !is_of_steps) {
    return Refuse("diffusion.loss.weighting", "LIKELIHOOD",
                  "needs diffusion.times.distribution UNIFORM: it is an integral over t");
  }
  return Require(config.smallest > 0 && config.smallest <= 0.1, path + "smallest", config.smallest,
                 "above 0 and at most 0.1");
}

}  // namespace

Prediction PredictionOf(const ProcessConfig& process) {
  return std::visit([](const auto& config) { return config.prediction; }, process);
}

bool LearnsVariance(const ProcessConfig& process) {
  const auto* ddpm = std::get_if<DdpmConfig>(&process);
  return ddpm != nullptr && ddpm->variance == Variance::kLearnedRange;
}

bool NeedsDataSigma(const DiffusionConfig& config) {
  return PredictionOf(config.process.value_or(DdpmConfig())) == Prediction::kPreconditioned ||
         config.loss.weighting == Weighting::kEdm;
}

TimeDistribution TimeDistributionOf(const DiffusionConfig& config) {
  if (config.times.distribution.has_value()) return *config.times.distribution;
  const bool edm = config.process.has_value() && std::holds_alternative<EdmConfig>(*config.process);
  return edm ? TimeDistribution::kLogNormal : TimeDistribution::kUniform;
}

std::optional<ConfigProblem> FindProblem(const DiffusionConfig& config) {
  const double data_sigma = config.data_sigma.value_or(1);
  if (Problem problem = Require(data_sigma > 0 && data_sigma <= 1000, "diffusion.data_sigma",
                                data_sigma, "above 0 and at most 1000")) {
    return problem;
  }
  const ProcessConfig process = config.process.value_or(DdpmConfig());
  if (Problem problem = std::visit(
          [](const auto& of_family) { return FindProblemInProcess(of_family); }, process)) {
    return problem;
  }
  // Of a process that comes with a folder, loss and times are judged when it is known.
  if (!config.process.has_value()) return std::nullopt;
  if (Problem problem = FindProblemInLoss(config.loss, process)) return problem;
  return FindProblemInTimes(config.times, process, TimeDistributionOf(config), config.loss);
}

}  // namespace langevin::configs
