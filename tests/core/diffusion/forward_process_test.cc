#include "core/diffusion/forward_process.h"

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/diffusion/parameterization.h"
#include "gtest/gtest.h"

namespace langevin::diffusion {
namespace {

struct Case {
  std::string name;
  std::function<std::unique_ptr<ForwardProcess>()> make;
};

std::vector<Case> AllProcesses() {
  return {{"linear DDPM",
           [] { return MakeDiscreteProcess(MakeNoiseSchedule(LinearBetas(1000, 1e-4, 0.02))); }},
          {"cosine DDPM", [] { return MakeDiscreteProcess(MakeNoiseSchedule(CosineBetas(1000))); }},
          {"EDM", [] { return MakeEdmProcess(80); }},
          {"VP", [] { return MakeVpProcess(0.1, 20); }},
          {"sub-VP", [] { return MakeSubVpProcess(0.1, 20); }},
          {"VE", [] { return MakeVeProcess(0.01, 50); }},
          {"linear flow", MakeLinearFlowProcess},
          {"trigonometric", MakeTrigonometricProcess}};
}

// Places inside (0, end_time), away from the steps of discrete time, where slopes jump.
std::vector<double> TimesOf(const ForwardProcess& process) {
  std::vector<double> times;
  for (const double share : {0.0123, 0.1017, 0.3331, 0.5003, 0.7717, 0.9501}) {
    times.push_back(share * process.end_time());
  }
  return times;
}

TEST(ForwardProcessTest, SlopesAreDerivatives) {
  for (const Case& test_case : AllProcesses()) {
    const auto process = test_case.make();
    for (const double t : TimesOf(*process)) {
      const double h = 1e-6 * process->end_time();
      const double alpha_slope = (process->Alpha(t + h) - process->Alpha(t - h)) / (2 * h);
      const double sigma_slope = (process->Sigma(t + h) - process->Sigma(t - h)) / (2 * h);
      const double scale = 1 / process->end_time();
      EXPECT_NEAR(process->AlphaSlope(t), alpha_slope, 1e-7 * scale) << test_case.name << " " << t;
      EXPECT_NEAR(process->SigmaSlope(t), sigma_slope,
                  1e-6 * std::max(1.0, process->Sigma(t)) * scale)
          << test_case.name << " " << t;
    }
  }
}

TEST(ForwardProcessTest, TheNoiseRatioRisesAndHasAnInverse) {
  for (const Case& test_case : AllProcesses()) {
    const auto process = test_case.make();
    double last = 0;
    for (const double t : TimesOf(*process)) {
      EXPECT_GT(process->Ratio(t), last) << test_case.name;
      last = process->Ratio(t);
      EXPECT_NEAR(process->TimeOfRatio(last), t, 1e-9 * process->end_time()) << test_case.name;
      EXPECT_NEAR(process->HalfLogSnr(t), 0.5 * std::log(process->Snr(t)), 1e-12);
      EXPECT_GT(process->DiffusionSquared(t), 0) << test_case.name;
    }
    EXPECT_EQ(process->TimeOfRatio(1e30), process->end_time()) << test_case.name;
  }
}

// Song et al. 2021, equations 29 to 32, with the golden values of shared/numerics.md, 8.
TEST(ForwardProcessTest, SdeCoefficientsAreThePapers) {
  const auto vp = MakeVpProcess(0.1, 20);
  EXPECT_NEAR(vp->Ratio(1), 152.167, 1e-3);
  EXPECT_NEAR(vp->Ratio(1e-3), 0.01049, 1e-5);
  for (const double t : {0.1, 0.4, 0.9}) {
    const double beta = 0.1 + 19.9 * t, integral = 0.1 * t + 19.9 * t * t / 2;
    EXPECT_NEAR(vp->Drift(t), -beta / 2, 1e-12);
    EXPECT_NEAR(vp->DiffusionSquared(t), beta, 1e-10);
    const auto sub_vp = MakeSubVpProcess(0.1, 20);
    EXPECT_NEAR(sub_vp->Drift(t), -beta / 2, 1e-12);
    EXPECT_NEAR(sub_vp->DiffusionSquared(t), beta * (1 - std::exp(-2 * integral)), 1e-10);
    EXPECT_NEAR(sub_vp->Sigma(t), 1 - std::exp(-integral), 1e-12);
    const auto ve = MakeVeProcess(0.01, 50);
    const double sigma = 0.01 * std::pow(5000, t);
    EXPECT_NEAR(ve->Sigma(t), sigma, 1e-9 * sigma);
    EXPECT_NEAR(std::sqrt(ve->DiffusionSquared(t)), sigma * std::sqrt(2 * std::log(5000)),
                1e-9 * sigma);
  }
}

// A VP process with beta = T beta_i at t = i / T is the limit of DDPM (Song et al. 2021, appendix
// B).
TEST(ForwardProcessTest, VpIsTheLimitOfDdpm) {
  const auto vp = MakeVpProcess(0.1, 20);
  const auto ddpm = MakeDiscreteProcess(MakeNoiseSchedule(LinearBetas(1000, 1e-4, 0.02)));
  for (const int step : {99, 399, 799, 999}) {
    EXPECT_NEAR(ddpm->Alpha(step), vp->Alpha((step + 1) / 1000.0), 2e-3) << step;
  }
  EXPECT_NEAR(ddpm->Alpha(999), 0.006353, 1e-6);
  EXPECT_NEAR(ddpm->Ratio(999), 157.407, 1e-3);
}

// A step that destroys all signal: 1 / (1 + infinity) and back.
TEST(ForwardProcessTest, ZeroTerminalSnrHasNoNan) {
  const auto process = MakeDiscreteProcess(
      MakeNoiseSchedule(RescaleToZeroTerminalSnr(LinearBetas(1000, 1e-4, 0.02))));
  EXPECT_NEAR(process->Alpha(999), 0, 1e-9);
  EXPECT_NEAR(process->Sigma(999), 1, 1e-12);
  EXPECT_GT(process->Alpha(998), 0);
}

// x_0 = skip x + out F for F as each name defines it.
TEST(ParameterizationTest, OutputsGiveBackTheImage) {
  const double image = 0.7, epsilon = -1.3, data_sigma = 0.5;
  for (const Case& test_case : AllProcesses()) {
    const auto process = test_case.make();
    for (const double t : TimesOf(*process)) {
      const double alpha = process->Alpha(t), sigma = process->Sigma(t);
      const double x = alpha * image + sigma * epsilon;
      const auto recovered = [&](Target target, double output) {
        const Preconditioning c = PreconditioningAt(process->At(t), target, data_sigma);
        return c.skip * x + c.out * output;
      };
      const double tolerance = 1e-9 * (1 + process->Ratio(t));
      EXPECT_NEAR(recovered(Target::kEpsilon, epsilon), image, tolerance) << test_case.name;
      EXPECT_NEAR(recovered(Target::kSample, image), image, tolerance) << test_case.name;
      EXPECT_NEAR(recovered(Target::kV, alpha * epsilon - sigma * image), image, tolerance)
          << test_case.name;
      EXPECT_NEAR(recovered(Target::kScore, -epsilon / sigma), image, tolerance) << test_case.name;
      EXPECT_NEAR(recovered(Target::kVelocity,
                            process->AlphaSlope(t) * image + process->SigmaSlope(t) * epsilon),
                  image, tolerance)
          << test_case.name;
      const double r = process->Ratio(t), d = data_sigma;
      const double output =
          (image - d * d / (r * r + d * d) * x / alpha) * std::sqrt(r * r + d * d) / (r * d);
      EXPECT_NEAR(recovered(Target::kPreconditioned, output), image, tolerance) << test_case.name;
    }
  }
}

// Diffusers' sign: x_0 = x - t u on straight lines, also at the ends.
TEST(ParameterizationTest, FlowsEndsAreFinite) {
  const auto flow = MakeLinearFlowProcess();
  for (const double t : {0.0, 0.25, 1.0}) {
    const Preconditioning c = PreconditioningAt(flow->At(t), Target::kVelocity, 0.5);
    EXPECT_DOUBLE_EQ(c.skip, 1);
    EXPECT_DOUBLE_EQ(c.out, -t);
  }
}

// Karras et al. 2022, table 1, at sigma = 2 with data of standard deviation 0.5.
TEST(ParameterizationTest, EdmIsThePapers) {
  const Preconditioning c =
      PreconditioningAt(MakeEdmProcess(80)->At(2), Target::kPreconditioned, 0.5);
  EXPECT_DOUBLE_EQ(c.skip, 0.25 / 4.25);
  EXPECT_DOUBLE_EQ(c.out, 2 * 0.5 / std::sqrt(4.25));
  EXPECT_DOUBLE_EQ(c.in, 1 / std::sqrt(4.25));
  EXPECT_DOUBLE_EQ(MakeEdmProcess(80)->NetworkTime(2), std::log(2) / 4);
}

}  // namespace
}  // namespace langevin::diffusion
