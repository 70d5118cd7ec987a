#include "core/diffusion/loss_weighting.h"

#include <algorithm>
#include <cmath>

namespace langevin::diffusion {
namespace {

// The weight of the squared error of x_0, times sigma^2 / alpha^2: the weight of that of epsilon,
// which is finite where the signal-to-noise ratio is 0.
double EpsilonWeight(const configs::LossConfig& config, const Formulation& formulation,
                     const NoiseLevel& level) {
  const double noise = level.sigma * level.sigma;  // snr = signal / noise.
  const double signal = level.alpha * level.alpha;
  switch (config.weighting) {
    case configs::Weighting::kSimple:
      break;  // Is LossWeight's own.
    case configs::Weighting::kMinSnr: {
      const double gamma = config.gamma.value_or(5);
      return signal <= gamma * noise ? 1 : gamma * noise / signal;
    }
    case configs::Weighting::kSoftMinSnr: {
      const double gamma = config.gamma.value_or(4);
      return gamma * noise / (signal + gamma * noise);
    }
    case configs::Weighting::kP2:
      return std::pow(noise / (config.k * noise + signal), config.gamma.value_or(1));
    case configs::Weighting::kEdm: {
      const double d = formulation.data_sigma;
      return (noise + signal * d * d) / (signal * d * d);
    }
    case configs::Weighting::kLikelihood:
      // g^2 |score error|^2 = g^2 / sigma^2 |epsilon's error|^2 (Song et al. 2021b, equation 7).
      return formulation.process->DiffusionSquared(level.t) / noise;
  }
  return 1;
}

}  // namespace

double LossWeight(const configs::LossConfig& config, const Formulation& formulation,
                  const NoiseLevel& level) {
  if (config.weighting == configs::Weighting::kSimple) {
    return formulation.target == Target::kScore ? level.sigma * level.sigma : 1;
  }
  const Preconditioning c = PreconditioningAt(level, formulation.target, formulation.data_sigma);
  // epsilon's error is alpha / sigma of x_0's, which is c_out of the output's.
  const double of_epsilon = level.alpha / level.sigma * c.out;
  const double weight = EpsilonWeight(config, formulation, level);
  // From pure noise, alpha = 0, epsilon is known whatever the output says.
  if (level.alpha == 0) {
    const bool is_epsilon =
        formulation.target == Target::kEpsilon || formulation.target == Target::kScore;
    return is_epsilon ? weight : 0;
  }
  return weight * of_epsilon * of_epsilon;
}

}  // namespace langevin::diffusion
