#include "core/diffusion/loss_weighting.h"

#include <algorithm>

#include "core/diffusion/parameterization.h"
#include "gtest/gtest.h"

namespace langevin::diffusion {
namespace {

using configs::DdpmConfig;
using configs::EdmConfig;
using configs::Prediction;
using configs::SdeConfig;
using configs::Weighting;

// Hang et al. 2023, as numerics.md has it for each prediction: epsilon min(SNR, g) / SNR, v
// min(SNR, g) / (SNR + 1), x_0 min(SNR, g).
TEST(LossWeightTest, MinSnrIsThePapersForEveryPrediction) {
  const configs::LossConfig config{.weighting = Weighting::kMinSnr};
  for (const int64_t t : {0, 10, 129, 130, 131, 500, 999}) {
    for (const Prediction p :
         {Prediction::kEpsilon, Prediction::kSample, Prediction::kVPrediction}) {
      const Formulation formulation = FormulationFrom({.process = DdpmConfig{.prediction = p}});
      const NoiseLevel level = formulation.process->At(static_cast<double>(t));
      const double snr = formulation.process->Snr(static_cast<double>(t));
      const double clipped = std::min(snr, 5.0);
      const double expected = p == Prediction::kEpsilon  ? clipped / snr
                              : p == Prediction::kSample ? clipped
                                                         : clipped / (snr + 1);
      EXPECT_NEAR(LossWeight(config, formulation, level), expected, 1e-9 * expected) << t;
    }
  }
  // The first step with a signal-to-noise ratio below 5.
  const Formulation linear = FormulationFrom({.process = DdpmConfig()});
  EXPECT_DOUBLE_EQ(LossWeight(config, linear, linear.process->At(130)), 1);
  EXPECT_LT(LossWeight(config, linear, linear.process->At(129)), 1);
}

TEST(LossWeightTest, EdmsWeightingIsSimpleForItsPreconditioning) {
  for (const configs::ProcessConfig& process :
       {configs::ProcessConfig(EdmConfig()),
        configs::ProcessConfig(SdeConfig{.prediction = Prediction::kPreconditioned})}) {
    const Formulation formulation = FormulationFrom({.process = process, .data_sigma = 0.7});
    for (const double share : {0.01, 0.2, 0.7}) {
      const NoiseLevel level = formulation.process->At(share * formulation.process->end_time());
      EXPECT_NEAR(LossWeight({.weighting = Weighting::kEdm}, formulation, level), 1, 1e-12);
    }
  }
}

// KD's soft-min-SNR on the preconditioned output is (sigma d)^2 / (sigma^2 + d^2)^2; gamma = 1/d^2.
TEST(LossWeightTest, SoftMinSnrIsCrowsons) {
  const double d = 0.5;
  const Formulation edm = FormulationFrom({.process = EdmConfig(), .data_sigma = d});
  for (const double sigma : {0.01, 0.5, 3.0, 70.0}) {
    const double square = sigma * sigma + d * d;
    EXPECT_NEAR(LossWeight({.weighting = Weighting::kSoftMinSnr, .gamma = 1 / (d * d)}, edm,
                           edm.process->At(sigma)),
                sigma * sigma * d * d / (square * square), 1e-12);
  }
}

// g^2 |score error|^2 for the score, and beta for epsilon's error over sigma^2.
TEST(LossWeightTest, LikelihoodIsTheSquaredDiffusion) {
  const Formulation score =
      FormulationFrom({.process = SdeConfig{.prediction = Prediction::kScore}});
  const Formulation epsilon =
      FormulationFrom({.process = SdeConfig{.prediction = Prediction::kEpsilon}});
  const configs::LossConfig config{.weighting = Weighting::kLikelihood};
  for (const double t : {0.01, 0.3, 1.0}) {
    const NoiseLevel level = score.process->At(t);
    const double beta = 0.1 + 19.9 * t;
    EXPECT_NEAR(LossWeight(config, score, level), beta, 1e-9 * beta);
    EXPECT_NEAR(LossWeight(config, epsilon, level), beta / (level.sigma * level.sigma),
                1e-9 * beta / (level.sigma * level.sigma));
  }
}

}  // namespace
}  // namespace langevin::diffusion
