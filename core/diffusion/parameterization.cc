#include "core/diffusion/parameterization.h"

#include <cmath>
#include <variant>

#include "core/diffusion/scheduler_config.h"

namespace langevin::diffusion {

Preconditioning PreconditioningAt(const NoiseLevel& level, Target target, double data_sigma) {
  const double alpha = level.alpha, sigma = level.sigma;
  switch (target) {
    case Target::kEpsilon:
      return {.skip = 1 / alpha, .out = -sigma / alpha};
    case Target::kSample:
      return {.skip = 0, .out = 1};
    case Target::kV: {
      // alpha x_t - sigma v = (alpha^2 + sigma^2) x_0.
      const double square = alpha * alpha + sigma * sigma;
      return {.skip = alpha / square, .out = -sigma / square};
    }
    case Target::kScore:
      return {.skip = 1 / alpha, .out = sigma * sigma / alpha};
    case Target::kVelocity: {
      // epsilon = (x_t - alpha x_0) / sigma put into the velocity u = alpha' x_0 + sigma' epsilon:
      // sigma u - sigma' x_t = (sigma alpha' - alpha sigma') x_0.
      const double divisor = sigma * level.alpha_slope - alpha * level.sigma_slope;
      return {.skip = -level.sigma_slope / divisor, .out = sigma / divisor};
    }
    case Target::kPreconditioned: {
      // Karras et al. 2022, table 1, of x_t / alpha, whose noise level is sigma / alpha.
      const double d = data_sigma;
      const double deviation = std::sqrt(sigma * sigma + alpha * alpha * d * d);  // Of x_t.
      return {.skip = alpha * d * d / (deviation * deviation),
              .out = sigma * d / deviation,
              .in = 1 / deviation};
    }
  }
  return {};
}

TargetMix TargetAt(const NoiseLevel& level, Target target, double data_sigma) {
  switch (target) {
    case Target::kEpsilon:
      return {.epsilon = 1};
    case Target::kSample:
      return {.original = 1};
    case Target::kV:
      return {.original = -level.sigma, .epsilon = level.alpha};
    case Target::kScore:
      return {.epsilon = -1 / level.sigma};
    case Target::kVelocity:
      return {.original = level.alpha_slope, .epsilon = level.sigma_slope};
    case Target::kPreconditioned: {
      // (x_0 - skip x_t) / out, put so that nothing cancels: 1 - skip alpha = sigma^2 in^2.
      const double d = data_sigma;
      const double in = PreconditioningAt(level, target, data_sigma).in;
      return {.original = level.sigma * in / d, .epsilon = -level.alpha * d * in};
    }
  }
  return {};
}

namespace {

Target TargetFrom(configs::Prediction prediction) {
  switch (prediction) {
    case configs::Prediction::kEpsilon:
      return Target::kEpsilon;
    case configs::Prediction::kSample:
      return Target::kSample;
    case configs::Prediction::kVPrediction:
      return Target::kV;
    case configs::Prediction::kScore:
      return Target::kScore;
    case configs::Prediction::kVelocity:
      return Target::kVelocity;
    case configs::Prediction::kPreconditioned:
      return Target::kPreconditioned;
  }
  return Target::kEpsilon;
}

std::unique_ptr<ForwardProcess> ProcessFrom(const configs::DdpmConfig& config) {
  return MakeDiscreteProcess(MakeNoiseSchedule(SchedulerConfigFrom({.process = config})));
}

std::unique_ptr<ForwardProcess> ProcessFrom(const configs::EdmConfig& config) {
  return MakeEdmProcess(config.sigma_max);
}

std::unique_ptr<ForwardProcess> ProcessFrom(const configs::FlowConfig& config) {
  return config.path == configs::FlowPath::kStraight ? MakeLinearFlowProcess()
                                                     : MakeTrigonometricProcess();
}

std::unique_ptr<ForwardProcess> ProcessFrom(const configs::SdeConfig& config) {
  switch (config.kind) {
    case configs::SdeKind::kVp:
      return MakeVpProcess(config.beta_min, config.beta_max);
    case configs::SdeKind::kSubVp:
      return MakeSubVpProcess(config.beta_min, config.beta_max);
    case configs::SdeKind::kVe:
      break;
  }
  return MakeVeProcess(config.sigma_min, config.sigma_max);
}

}  // namespace

Formulation FormulationFrom(const configs::DiffusionConfig& config) {
  const configs::ProcessConfig& process = *config.process;
  return {.process = std::visit(
              [](const auto& of_family) -> std::shared_ptr<const ForwardProcess> {
                return ProcessFrom(of_family);
              },
              process),
          .target = TargetFrom(configs::PredictionOf(process)),
          .data_sigma = config.data_sigma.value_or(0.5),
          .learns_variance = configs::LearnsVariance(process)};
}

}  // namespace langevin::diffusion
