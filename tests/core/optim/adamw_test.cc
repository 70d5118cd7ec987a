#include "core/optim/adamw.h"

#include <cmath>

#include "ATen/ATen.h"
#include "ATen/Parallel.h"
#include "gtest/gtest.h"

namespace langevin::optim {
namespace {

OptimizerState ZeroState(const at::Tensor& weights) {
  return {.exp_avg = at::zeros_like(weights),
          .exp_avg_sq = at::zeros_like(weights),
          .averages = {weights.clone()}};
}

// The paper's algorithm, in double, one number at a time.
void ReferenceStep(const AdamWStep& step, double gradient, double& weight, double& m, double& v,
                   double& ema) {
  const double g = gradient * step.gradient_scale;
  m = step.beta1 * m + (1 - step.beta1) * g;
  v = step.beta2 * v + (1 - step.beta2) * g * g;
  const double m_hat = m / (1 - std::pow(step.beta1, step.step));
  const double v_hat = v / (1 - std::pow(step.beta2, step.step));
  weight -= step.learning_rate * step.weight_decay * weight;
  weight -= step.learning_rate * m_hat / (std::sqrt(v_hat) + step.epsilon);
  ema = step.average_decays[0] * ema + (1 - step.average_decays[0]) * weight;
}

TEST(AdamWTest, IsTheAlgorithmOfThePaper) {
  at::Tensor weights = at::randn({100});
  OptimizerState state = ZeroState(weights);
  std::vector<double> w(100), m(100), v(100), ema(100);
  for (int i = 0; i < 100; ++i) w[i] = ema[i] = weights[i].item<float>();
  for (int64_t t = 1; t <= 50; ++t) {
    const at::Tensor gradient = at::randn({100});
    const AdamWStep step{.learning_rate = 1e-2,
                         .weight_decay = 0.1,
                         .step = t,
                         .gradient_scale = 0.5,
                         .average_decays = {0.9}};
    ApplyAdamW(step, gradient, weights, state);
    for (int i = 0; i < 100; ++i) {
      ReferenceStep(step, gradient[i].item<float>(), w[i], m[i], v[i], ema[i]);
    }
  }
  for (int i = 0; i < 100; ++i) {
    EXPECT_NEAR(weights[i].item<float>(), w[i], 4e-6);
    EXPECT_NEAR(state.averages[0][i].item<float>(), ema[i], 4e-6);
  }
}

// A number's bits must not depend on where threads or vector registers cut the buffer.
TEST(AdamWTest, BitsDoNotDependOnThreadsOrPlace) {
  const at::Tensor start = at::randn({100003}), gradient = at::randn({100003});
  const AdamWStep step{.learning_rate = 1e-3, .weight_decay = 0.01, .average_decays = {0.99}};
  std::vector<at::Tensor> results;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    at::Tensor weights = start.clone();
    OptimizerState state = ZeroState(weights);
    ApplyAdamW(step, gradient, weights, state);
    results.push_back(at::cat({weights, state.exp_avg_sq, state.averages[0]}));
  }
  EXPECT_TRUE(at::equal(results[0], results[1]));
  EXPECT_TRUE(at::equal(results[0], results[2]));
  at::Tensor tail = start.narrow(0, 101, 500).clone();
  OptimizerState state = ZeroState(tail);
  ApplyAdamW(step, gradient.narrow(0, 101, 500).clone(), tail, state);
  EXPECT_TRUE(at::equal(tail, results[0].narrow(0, 101, 500)));
}

TEST(AdamWTest, EachAverageIsTheOneItWouldBeAlone) {
  const at::Tensor start = at::randn({70001}), gradient = at::randn({70001});
  const std::vector<double> decays = {0.5, 0.9, 0};
  at::Tensor weights = start.clone();
  OptimizerState together = ZeroState(weights);
  together.averages = {start.clone(), start.clone(), start.clone()};
  ApplyAdamW({.learning_rate = 1e-2, .average_decays = decays}, gradient, weights, together);
  for (size_t i = 0; i < decays.size(); ++i) {
    at::Tensor again = start.clone();
    OptimizerState alone = ZeroState(again);
    ApplyAdamW({.learning_rate = 1e-2, .average_decays = {decays[i]}}, gradient, again, alone);
    EXPECT_TRUE(at::equal(again, weights));
    EXPECT_TRUE(at::allclose(together.averages[i], alone.averages[0], 1e-6, 1e-7)) << i;
  }
  EXPECT_TRUE(at::allclose(together.averages[2], weights));
}

TEST(AdamWTest, ZeroLearningRateChangesNoWeight) {
  at::Tensor weights = at::randn({1000});
  const at::Tensor before = weights.clone();
  OptimizerState state = ZeroState(weights);
  ApplyAdamW({.learning_rate = 0, .weight_decay = 0.1, .average_decays = {0.5}}, at::randn({1000}),
             weights, state);
  EXPECT_TRUE(at::equal(weights, before));
  EXPECT_TRUE(at::equal(state.averages[0], before));
}

TEST(AdamWTest, WhatHasNoGradientIsLeftAlone) {
  at::Tensor weights = at::ones({64});
  OptimizerState state{
      .exp_avg = at::zeros({32}), .exp_avg_sq = at::zeros({32}), .averages = {weights.clone()}};
  ApplyAdamW({.learning_rate = 0.1}, at::ones({32}), weights, state);
  EXPECT_TRUE(at::equal(weights.narrow(0, 32, 32), at::ones({32})));
  EXPECT_LT(weights[0].item<float>(), 1);
}

TEST(NormTest, IsTheNormForAnyNumberOfThreadsAndSlices) {
  const at::Tensor values = at::randn({123457});
  at::set_num_threads(1);
  const double one = NormOfBlocks(BlockSquares(values));
  at::set_num_threads(3);
  EXPECT_EQ(NormOfBlocks(BlockSquares(values)), one);
  const int64_t cut = 100 * kNormBlock;
  const at::Tensor head = BlockSquares(values.narrow(0, 0, cut));
  const at::Tensor tail = BlockSquares(values.narrow(0, cut, values.numel() - cut));
  EXPECT_EQ(NormOfBlocks(at::cat({head, tail, at::zeros({5}, at::kDouble)})), one);
  EXPECT_NEAR(one, values.to(at::kDouble).norm().item<double>(), 1e-9 * one);
}

}  // namespace
}  // namespace langevin::optim
