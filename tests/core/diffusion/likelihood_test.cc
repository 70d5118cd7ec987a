// Likelihoods of data whose density is known, with denoisers in closed form: no network.
#include "core/diffusion/likelihood.h"

#include <cmath>
#include <memory>
#include <numbers>
#include <vector>

#include "ATen/ATen.h"
#include "core/diffusion/dormand_prince.h"
#include "gtest/gtest.h"

namespace langevin::diffusion {
namespace {

constexpr double kLevel = 0.3, kSpread = 0.4;

// Of data whose values are independent, N(kLevel, kSpread^2): E[x_0 | x_t].
Denoiser DenoiserOfKnownData() {
  return [](const at::Tensor& x, const NoiseLevel& level) {
    const double a = level.alpha, s = level.sigma, d = kSpread;
    return Denoised{.original = (s * s * kLevel + a * d * d * x) / (s * s + a * a * d * d)};
  };
}

double LogNormalDensity(const at::Tensor& x, double mean, double deviation) {
  const double squares = at::square((x - mean) / deviation).sum().item<double>();
  return -0.5 * squares - static_cast<double>(x.numel()) *
                              (std::log(deviation) + 0.5 * std::log(2 * std::numbers::pi));
}

std::vector<std::unique_ptr<ForwardProcess>> ProcessesWithDensities() {
  std::vector<std::unique_ptr<ForwardProcess>> processes;
  processes.push_back(MakeDiscreteProcess(MakeNoiseSchedule(LinearBetas(1000, 1e-4, 0.02))));
  processes.push_back(MakeEdmProcess(80));
  processes.push_back(MakeVpProcess(0.1, 20));
  processes.push_back(MakeSubVpProcess(0.1, 20));
  processes.push_back(MakeVeProcess(0.01, 50));
  processes.push_back(MakeLinearFlowProcess());
  processes.push_back(MakeTrigonometricProcess());
  return processes;
}

TEST(DormandPrinceTest, SolvesWhatHasAClosedForm) {
  const at::Tensor start = at::tensor({1.0, 2.0}, at::kDouble);
  // y' = u y: y = exp(u^2 / 2) y_0, forwards and back.
  const Slope slope = [](double u, const at::Tensor& y) { return u * y; };
  const at::Tensor there = IntegrateDormandPrince(start, 0, 2, 1e-9, slope);
  EXPECT_TRUE(at::allclose(there, std::exp(2.0) * start, 1e-7, 0));
  EXPECT_TRUE(at::allclose(IntegrateDormandPrince(there, 2, 0, 1e-9, slope), start, 1e-7, 0));
}

// The density that the flow transports is the data's with the noise of the first level.
TEST(FlowLikelihoodTest, GaussianDataHaveTheirDensityUnderEveryProcess) {
  const at::Tensor image = at::linspace(-0.8, 1.3, 12, at::kDouble).view({1, 3, 2, 2});
  for (const auto& process : ProcessesWithDensities()) {
    const LogLikelihood found =
        FlowLogLikelihood(image, DenoiserOfKnownData(), *process,
                          {.tolerance = 1e-6, .least_ratio = 2e-3}, /*seed=*/0, /*index=*/0);
    const NoiseLevel first = process->At(process->TimeOfRatio(2e-3));
    const NoiseLevel last = process->At(process->end_time());
    const double exact = LogNormalDensity(image, first.alpha * kLevel,
                                          std::hypot(first.sigma, first.alpha * kSpread));
    // What the prior leaves out: the rest of the data in the last level's noise.
    const double rest = last.alpha / last.sigma;
    EXPECT_NEAR(found.nats, exact, 1e-3 + 20 * rest) << process->end_time();
  }
}

// Two Gaussians in a plane, far from axes: the trace must be estimated, and the estimate's error
// told.
TEST(FlowLikelihoodTest, TheTracesEstimateSaysItsError) {
  const at::Tensor centres = at::tensor({0.8, 0.5, -0.4, -0.9}, at::kDouble).view({2, 2});
  const double d = 0.3;
  const Denoiser denoiser = [&](const at::Tensor& x, const NoiseLevel& level) {
    const double variance = level.sigma * level.sigma + level.alpha * level.alpha * d * d;
    const at::Tensor flat = x.view({1, 2});
    const at::Tensor weights =
        at::softmax(-at::square(flat - level.alpha * centres).sum(1) / (2 * variance), 0);
    const at::Tensor each =
        (level.sigma * level.sigma * centres + level.alpha * d * d * flat) / variance;
    return Denoised{.original = (weights.unsqueeze(1) * each).sum(0).view(x.sizes())};
  };
  const at::Tensor image = at::tensor({0.1, -0.2}, at::kDouble).view({1, 2, 1, 1});
  double density = 0;
  for (int k = 0; k < 2; ++k) {
    const double square = at::square(image.view({2}) - centres[k]).sum().item<double>();
    density += 0.5 * std::exp(-square / (2 * d * d)) / (2 * std::numbers::pi * d * d);
  }
  const LogLikelihood found =
      FlowLogLikelihood(image, denoiser, *MakeEdmProcess(200), {.tolerance = 1e-6, .probes = 64},
                        /*seed=*/1, /*index=*/5);
  EXPECT_GT(found.standard_error, 0);
  EXPECT_LT(found.standard_error, 1);
  EXPECT_NEAR(found.nats, std::log(density), 4 * found.standard_error + 2e-3);
}

// Of a data set of one image a perfect denoiser knows all: nothing is lost at any step but the
// first, whose variance (5.45e-5) puts 0.40 of the probability into the bin of a level, and half of
// the rest on top where the bin has no end.
TEST(VariationalBoundTest, AKnownImageCostsNothing) {
  const NoiseSchedule schedule = MakeNoiseSchedule(LinearBetas(1000, 1e-4, 0.02));
  const auto process = MakeDiscreteProcess(schedule);
  const at::Tensor image = at::tensor({-1.0, 0.2, 1.0}).view({1, 1, 1, 3});
  const Denoiser knows = [&](const at::Tensor&, const NoiseLevel&) {
    return Denoised{.original = image};
  };
  const VariationalBound bound = BoundOf(image, knows, *process, schedule, {}, 0, 0);
  EXPECT_NEAR(bound.nats, -std::log(0.4046) - 2 * std::log(0.7023), 0.02);
  // Shared/numerics.md: 2.9e-5 bits a value for |x_0| = 1.
  EXPECT_NEAR(bound.prior / std::numbers::ln2, 2.9e-5 * 2, 1.5e-5);
  for (size_t part = 1; part < bound.by_time.size(); ++part)
    EXPECT_NEAR(bound.by_time[part], 0, 1e-9);
}

// The optimal model of Gaussian data. Term t is half of what the signal-to-noise ratio falls by,
// times the squared error of x_0 (Kingma et al. 2021, equation 13).
TEST(VariationalBoundTest, GaussianDataCostWhatTheyMust) {
  const NoiseSchedule schedule = MakeNoiseSchedule(LinearBetas(1000, 1e-4, 0.02));
  const auto process = MakeDiscreteProcess(schedule);
  const double width = 2.0 / 255, d = kSpread;
  at::Tensor image = kLevel + d * at::randn({1, 1, 64, 64}, at::kFloat);
  image = at::round((image.clamp(-1, 1) + 1) / width) * width - 1;
  const VariationalBound bound =
      BoundOf(image, DenoiserOfKnownData(), *process, schedule,
              {.half_bin = width / 2, .clips = false}, /*seed=*/3, /*index=*/0);
  const double square = at::square(image - kLevel).mean().item<double>();
  for (int64_t part = 1; part < 10; ++part) {
    double expected = 0;
    for (int64_t t = 100 * part; t < 100 * part + 100; ++t) {
      const NoiseLevel level = process->At(static_cast<double>(t));
      const double signal = level.alpha * level.alpha, noise = level.sigma * level.sigma;
      const double divisor = noise + signal * d * d;
      // What the denoiser misses of this image: a share of its distance from the mean, and noise.
      const double missed =
          (noise * noise * square + signal * noise * d * d * d * d) / (divisor * divisor);
      const double fall =
          process->Snr(static_cast<double>(t - 1)) - process->Snr(static_cast<double>(t));
      expected += 0.5 * fall * missed;
    }
    EXPECT_NEAR(bound.by_time[part] / image.numel(), expected, 0.05 * expected) << part;
  }
  // A bound, and with a thousand steps half a nat a value above what it bounds.
  const double exact =
      -LogNormalDensity(image, kLevel, d) - static_cast<double>(image.numel()) * std::log(width);
  EXPECT_GT(bound.nats, exact);
  EXPECT_LT(bound.nats, exact * 1.1);
  double sum = bound.prior;
  for (const double part : bound.by_time) sum += part;
  EXPECT_NEAR(sum, bound.nats, 1e-6 * bound.nats);
  // Some terms for all: without bias, and with little variance.
  const VariationalBound some =
      BoundOf(image, DenoiserOfKnownData(), *process, schedule,
              {.half_bin = width / 2, .clips = false, .terms = 100}, 3, 0);
  EXPECT_NEAR(some.nats, bound.nats, 0.03 * bound.nats);
}

}  // namespace
}  // namespace langevin::diffusion
