// Samplers on data whose denoiser is a closed form, in double precision: Gaussian data, where the
// probability flow is known, and a mixture, of which the mean and variance are.
#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "core/diffusion/guidance.h"
#include "core/diffusion/samplers.h"
#include "gtest/gtest.h"

namespace langevin::diffusion {
namespace {

constexpr double kMean = 0.3, kDeviation = 0.6;  // Of Gaussian data.
const auto kDouble = at::TensorOptions(at::kDouble);

struct ProcessCase {
  std::string name;
  std::shared_ptr<const ForwardProcess> process;
  double least_time;
};

std::vector<ProcessCase> Processes() {
  return {{"EDM", MakeEdmProcess(80), 0.002},
          {"VP", MakeVpProcess(0.1, 20), 1e-3},
          {"sub-VP", MakeSubVpProcess(0.1, 20), 1e-2},
          {"VE", MakeVeProcess(0.01, 50), 0},
          {"linear flow", MakeLinearFlowProcess(), 1e-3},
          {"trigonometric", MakeTrigonometricProcess(), 1e-3}};
}

// The expected x_0 of N(kMean, kDeviation^2) given x_t.
Denoised DenoiseGaussian(const at::Tensor& sample, const NoiseLevel& level) {
  const double variance = kDeviation * kDeviation;
  const double gain =
      level.alpha * variance / (level.alpha * level.alpha * variance + level.sigma * level.sigma);
  return {.original = kMean + gain * (sample - level.alpha * kMean)};
}

// Equal parts N(-1, 0.1^2) and N(1, 0.1^2).
Denoised DenoiseMixture(const at::Tensor& sample, const NoiseLevel& level) {
  const double variance = 0.01;
  const double total = level.alpha * level.alpha * variance + level.sigma * level.sigma;
  const double gain = level.alpha * variance / total;
  // The posterior probability of the part at 1 less that of the one at -1.
  const at::Tensor sign = at::tanh(level.alpha * sample / total);
  return {.original = sign + gain * (sample - level.alpha * sign)};
}

double DeviationAt(const NoiseLevel& level) {
  return std::hypot(level.alpha * kDeviation, level.sigma);
}

// Where the probability flow of Gaussian data takes `sample`: quantiles stay.
at::Tensor ExactFlow(const at::Tensor& sample, const NoiseLevel& from, const NoiseLevel& to) {
  return to.alpha * kMean + DeviationAt(to) / DeviationAt(from) * (sample - from.alpha * kMean);
}

// `steps` steps between a quarter and three quarters of the noise levels, where every process has
// finite slopes: evenly in the angle atan(sigma / alpha). No final denoising.
TimeGrid InnerGrid(const ProcessCase& test_case, int64_t steps) {
  TimeGrid grid;
  for (const double angle : EvenlySpaced(1.2, 0.35, steps + 1)) {
    grid.levels.push_back(LevelOfRatio(*test_case.process, std::tan(angle)));
  }
  return grid;
}

at::Tensor NoNoise(int64_t /*draw*/) { return at::zeros({5, 1, 1, 1}, kDouble); }

at::Tensor Starts() { return at::linspace(-1.5, 1.5, 5, kDouble).view({5, 1, 1, 1}); }

using MakeRule = std::function<std::unique_ptr<Sampler>(const ProcessCase&, TimeGrid)>;

struct RuleCase {
  std::string name;
  double order;
  MakeRule make;
};

std::vector<RuleCase> DeterministicRules() {
  return {
      {"ddim", 1, [](const auto&, TimeGrid grid) { return MakeDdimSampler(grid, 0, {}); }},
      {"euler", 1,
       [](const auto& p, TimeGrid grid) {
         return MakeKarrasSampler(grid, p.process, KarrasOrder::kEuler, {});
       }},
      {"heun", 2,
       [](const auto& p, TimeGrid grid) {
         return MakeKarrasSampler(grid, p.process, KarrasOrder::kHeun, {});
       }},
      {"dpmpp 1", 1,
       [](const auto&, TimeGrid grid) { return MakeDpmSolverSampler(grid, {.order = 1}); }},
      {"dpmpp 2", 2,
       [](const auto&, TimeGrid grid) {
         return MakeDpmSolverSampler(grid, {.order = 2, .lower_order_final = false});
       }},
      {"dpmpp 2 heun", 2,
       [](const auto&, TimeGrid grid) {
         return MakeDpmSolverSampler(grid,
                                     {.order = 2, .is_heun = true, .lower_order_final = false});
       }},
      // The first two steps are of orders 1 and 2, whose errors are of order 2 and 3.
      {"unipc 1", 2,
       [](const auto&, TimeGrid grid) {
         return MakeUniPcSampler(grid, {.order = 1, .lower_order_final = false});
       }},
      {"unipc 2", 2.7,
       [](const auto&, TimeGrid grid) {
         return MakeUniPcSampler(grid, {.order = 2, .lower_order_final = false});
       }},
      {"unipc 2 bh1", 2.7,
       [](const auto&, TimeGrid grid) {
         return MakeUniPcSampler(grid, {.order = 2, .is_bh1 = true, .lower_order_final = false});
       }},
  };
}

double ErrorWith(const RuleCase& rule, const ProcessCase& test_case, int64_t steps) {
  const TimeGrid grid = InnerGrid(test_case, steps);
  const at::Tensor result = rule.make(test_case, grid)->Run(Starts(), DenoiseGaussian, NoNoise);
  return (result - ExactFlow(Starts(), grid.levels.front(), grid.levels.back()))
      .abs()
      .max()
      .item<double>();
}

TEST(AnalyticTest, DeterministicSamplersConvergeToTheProbabilityFlowAtTheirOrder) {
  for (const ProcessCase& test_case : Processes()) {
    for (const RuleCase& rule : DeterministicRules()) {
      const double coarse = ErrorWith(rule, test_case, 40), fine = ErrorWith(rule, test_case, 80);
      EXPECT_LT(fine, 0.02) << rule.name << " " << test_case.name;
      EXPECT_GT(std::log2(coarse / fine), rule.order - 0.25)
          << rule.name << " " << test_case.name << " " << coarse << " " << fine;
    }
  }
}

// Order 3 shows where the start, of lower order, is not part of the error: with exact first steps.
TEST(AnalyticTest, ThirdOrderBeatsSecond) {
  for (const ProcessCase& test_case : Processes()) {
    const auto error = [&](int order) {
      return ErrorWith({"", 0,
                        [order](const auto&, TimeGrid grid) {
                          return MakeDpmSolverSampler(grid,
                                                      {.order = order, .lower_order_final = false});
                        }},
                       test_case, 40);
    };
    EXPECT_LT(error(3), error(2)) << test_case.name;
    const auto unipc = [&](int order) {
      return ErrorWith({"", 0,
                        [order](const auto&, TimeGrid grid) {
                          return MakeUniPcSampler(grid,
                                                  {.order = order, .lower_order_final = false});
                        }},
                       test_case, 40);
    };
    EXPECT_LT(unipc(2), unipc(1)) << test_case.name;
    EXPECT_LT(unipc(3), 1e-3) << test_case.name;
  }
}

TEST(AnalyticTest, RungeKuttaIsWithinItsTolerance) {
  for (const ProcessCase& test_case : Processes()) {
    TimeGrid grid = InnerGrid(test_case, 1);
    for (const double tolerance : {1e-3, 1e-6, 1e-9}) {
      const at::Tensor result = MakeRungeKuttaSampler(grid, test_case.process, tolerance)
                                    ->Run(Starts(), DenoiseGaussian, NoNoise);
      const at::Tensor exact = ExactFlow(Starts(), grid.levels.front(), grid.levels.back());
      EXPECT_LT((result - exact).abs().max().item<double>(), 20 * tolerance)
          << test_case.name << " " << tolerance;
    }
  }
}

TEST(AnalyticTest, AnImageOfRungeKuttaDoesNotDependOnItsBatch) {
  const ProcessCase test_case = Processes()[1];
  const auto sampler = MakeRungeKuttaSampler(InnerGrid(test_case, 1), test_case.process, 1e-5);
  const at::Tensor all = sampler->Run(Starts(), DenoiseMixture, NoNoise);
  for (int64_t i = 0; i < 5; ++i) {
    EXPECT_TRUE(at::equal(all.narrow(0, i, 1),
                          sampler->Run(Starts().narrow(0, i, 1), DenoiseMixture, NoNoise)));
  }
}

// What is one rule under two names.
TEST(AnalyticTest, Identities) {
  for (const ProcessCase& test_case : Processes()) {
    const TimeGrid grid = InnerGrid(test_case, 7);
    const auto run = [&](const std::unique_ptr<Sampler>& sampler) {
      return sampler->Run(Starts(), DenoiseMixture, NoNoise);
    };
    const at::Tensor ddim = run(MakeDdimSampler(grid, 0, {}));
    EXPECT_TRUE(at::allclose(ddim, run(MakeDpmSolverSampler(grid, {.order = 1})), 1e-10, 1e-10));
    EXPECT_TRUE(
        at::allclose(ddim, run(MakeKarrasSampler(grid, test_case.process, KarrasOrder::kEuler, {})),
                     1e-10, 1e-10))
        << test_case.name;
    // Ancestral sampling and DDPM with the posterior's variance have the same mean.
    EXPECT_TRUE(at::allclose(run(MakeDdimSampler(grid, 1, {})),
                             run(MakeDdpmSampler(grid, "fixed_small")), 1e-10, 1e-10))
        << test_case.name;
    // Each step of DPM-Solver++'s SDE of order 1 is ancestral sampling.
    EXPECT_TRUE(at::allclose(run(MakeDdimSampler(grid, 1, {})),
                             run(MakeDpmSolverSampler(grid, {.order = 1, .is_stochastic = true})),
                             1e-10, 1e-10))
        << test_case.name;
  }
}

std::vector<RuleCase> StochasticRules() {
  return {
      {"ddpm", 0, [](const auto&, TimeGrid grid) { return MakeDdpmSampler(grid, "fixed_small"); }},
      {"ddpm large", 0,
       [](const auto&, TimeGrid grid) { return MakeDdpmSampler(grid, "fixed_large"); }},
      {"ddim 0.5", 0, [](const auto&, TimeGrid grid) { return MakeDdimSampler(grid, 0.5, {}); }},
      {"ancestral", 0, [](const auto&, TimeGrid grid) { return MakeDdimSampler(grid, 1, {}); }},
      {"churn", 0,
       [](const auto& p, TimeGrid grid) {
         return MakeKarrasSampler(grid, p.process, KarrasOrder::kHeun, {.churn = 40, .max = 20});
       }},
      {"dpmpp 2 sde", 0,
       [](const auto&, TimeGrid grid) {
         return MakeDpmSolverSampler(grid, {.order = 2, .is_stochastic = true});
       }},
      {"pc", 0,
       [](const auto&, TimeGrid grid) {
         return MakePredictorCorrectorSampler(grid, {.corrector_steps = 1, .snr = 0.1});
       }},
  };
}

// From noise to data: mean and variance of 4 x 1024 values come out within five standard errors and
// what the steps leave.
TEST(AnalyticTest, StochasticSamplersGiveTheDataBack) {
  at::manual_seed(1);
  constexpr int64_t kImages = 4, kValues = 1024;
  const NoiseSource noise_source = [](int64_t /*draw*/) {
    return at::randn({kImages, 1, 1, kValues}, kDouble);
  };
  for (const ProcessCase& test_case : Processes()) {
    const bool is_flow = test_case.process->Alpha(1) < 1e-9;
    TimeGrid grid;
    const double end = test_case.process->end_time();
    if (is_flow) {
      for (const double t : EvenlySpaced(end, test_case.least_time, 150)) {
        grid.levels.push_back(test_case.process->At(t));
      }
    } else {
      for (const double ratio :
           KarrasSpaced(test_case.process->Ratio(end),
                        test_case.process->Ratio(test_case.least_time), 7, 150)) {
        grid.levels.push_back(LevelOfRatio(*test_case.process, ratio));
      }
    }
    grid.levels.push_back(CleanLevel());
    grid.initial_scale = grid.levels.front().sigma;
    for (const RuleCase& rule : StochasticRules()) {
      if (is_flow && rule.name == "pc") continue;  // MakeSampler refuses it.
      const auto sampler = rule.make(test_case, grid);
      const at::Tensor start = noise_source(0);
      for (const bool is_mixture : {false, true}) {
        const at::Tensor result =
            sampler->Run(start, is_mixture ? DenoiseMixture : DenoiseGaussian, noise_source);
        const double mean = result.mean().item<double>(), deviation = result.std().item<double>();
        EXPECT_NEAR(mean, is_mixture ? 0 : kMean, is_mixture ? 0.08 : 0.06)
            << rule.name << " " << test_case.name;
        EXPECT_NEAR(deviation, is_mixture ? std::sqrt(1.01) : kDeviation, 0.045)
            << rule.name << " " << test_case.name;
      }
    }
  }
}

TEST(AnalyticTest, EulerMaruyamaGivesTheDataBack) {
  at::manual_seed(2);
  const NoiseSource noise_source = [](int64_t) { return at::randn({1, 1, 1, 4096}, kDouble); };
  for (const size_t i : {size_t{1}, size_t{2}, size_t{3}}) {
    const ProcessCase test_case = Processes()[i];
    TimeGrid grid;
    for (const double t : EvenlySpaced(1, std::max(1e-3, test_case.least_time), 800)) {
      grid.levels.push_back(test_case.process->At(t));
    }
    grid.levels.push_back(CleanLevel());
    grid.initial_scale = grid.levels.front().sigma;
    const at::Tensor result =
        MakePredictorCorrectorSampler(grid, {.is_euler_maruyama = true, .corrector_steps = 0})
            ->Run(noise_source(0), DenoiseGaussian, noise_source);
    EXPECT_NEAR(result.mean().item<double>(), kMean, 0.06) << test_case.name;
    EXPECT_NEAR(result.std().item<double>(), kDeviation, 0.045) << test_case.name;
  }
}

TEST(AnalyticTest, AnImageOfPredictorCorrectorDoesNotDependOnItsBatch) {
  const ProcessCase test_case = Processes()[3];
  at::manual_seed(3);
  const at::Tensor start = at::randn({3, 1, 2, 2}, kDouble);
  const at::Tensor draws = at::randn({64, 3, 1, 2, 2}, kDouble);
  const auto sampler = MakePredictorCorrectorSampler(InnerGrid(test_case, 8), {});
  const at::Tensor all =
      sampler->Run(start, DenoiseMixture, [&](int64_t draw) { return draws[draw]; });
  const at::Tensor alone = sampler->Run(start.narrow(0, 1, 1), DenoiseMixture,
                                        [&](int64_t draw) { return draws[draw].narrow(0, 1, 1); });
  EXPECT_TRUE(at::allclose(all.narrow(0, 1, 1), alone, 0, 1e-14));
}

TEST(AnalyticTest, SamplersNeverAskForADrawTwice) {
  for (const RuleCase& rule : StochasticRules()) {
    const ProcessCase test_case = Processes()[0];
    std::vector<int64_t> draws;
    rule.make(test_case, InnerGrid(test_case, 9))
        ->Run(Starts(), DenoiseGaussian, [&](int64_t draw) {
          draws.push_back(draw);
          return NoNoise(draw);
        });
    EXPECT_FALSE(draws.empty()) << rule.name;
    std::sort(draws.begin(), draws.end());
    EXPECT_EQ(std::adjacent_find(draws.begin(), draws.end()), draws.end()) << rule.name;
  }
}

TEST(AnalyticTest, ClippedSamplersStayInRange) {
  const ProcessCase test_case = Processes()[1];
  TimeGrid grid = InnerGrid(test_case, 10);
  grid.levels.push_back(CleanLevel());
  const auto largest = [&](std::unique_ptr<Sampler> sampler) {
    return sampler->Run(3 * Starts(), DenoiseGaussian, NoNoise).abs().max().item<double>();
  };
  EXPECT_GT(largest(MakeDdimSampler(grid, 0, {})), 1);
  EXPECT_LE(largest(MakeDdimSampler(grid, 0, {.range = 0.5})), 0.5);
  EXPECT_LE(largest(WithClipping(MakeDpmSolverSampler(grid, {}), {.range = 0.5})), 0.5);
  EXPECT_LE(largest(WithClipping(MakeDpmSolverSampler(grid, {}), {.quantile = 0.9})), 1);
}

TEST(GuidanceTest, LeadsAwayFromTheReferenceInsideTheInterval) {
  const auto constant = [](double value) -> Denoiser {
    return [value](const at::Tensor& sample, const NoiseLevel&) {
      return Denoised{.original = value * at::arange(1, 5, kDouble).view_as(sample)};
    };
  };
  const at::Tensor sample = at::zeros({1, 1, 2, 2}, kDouble);
  const at::Tensor unit = at::arange(1, 5, kDouble).view_as(sample);
  const auto guided = [&](GuidanceOptions options, double ratio) {
    return Guide(constant(2), constant(0.5), options)(sample, VariancePreservingLevel(ratio, 0))
        .original;
  };
  EXPECT_TRUE(at::allclose(guided({.scale = 3}, 1), 5 * unit));
  EXPECT_TRUE(at::allclose(guided({.scale = 1}, 1), 2 * unit));
  EXPECT_TRUE(at::allclose(guided({.scale = 0}, 1), 0.5 * unit));
  // (low, high].
  EXPECT_TRUE(at::allclose(guided({.scale = 3, .low = 0.5, .high = 2}, 0.499), 2 * unit));
  EXPECT_TRUE(at::allclose(guided({.scale = 3, .low = 0.5, .high = 2}, 1.999), 5 * unit));
  EXPECT_TRUE(at::allclose(guided({.scale = 3, .low = 0.5, .high = 2}, 2.001), 2 * unit));
  // Scaled back to the conditional's deviation, and half way.
  EXPECT_TRUE(at::allclose(guided({.scale = 3, .rescale = 1}, 1), 2 * unit));
  EXPECT_TRUE(at::allclose(guided({.scale = 3, .rescale = 0.5}, 1), 3.5 * unit));
}

}  // namespace
}  // namespace langevin::diffusion
