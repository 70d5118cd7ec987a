// What a run relies on of DiT beyond the numbers, which tests/python/dit_parity_test.py compares
// with diffusers.
#include "core/model/dit.h"

#include "ATen/ATen.h"
#include "core/model/make_network.h"
#include "gtest/gtest.h"
#include "tests/core/model/small_configs.h"

namespace langevin::model {
namespace {

// Two layers, so that there is one behind the first.
configs::DiTConfig TwoLayers() {
  configs::DiTConfig config = SmallDiT();
  config.num_layers = 2;
  return config;
}

class DiTTest : public testing::TestWithParam<configs::Precision> {};

// adaLN-Zero: each block begins as the identity, and the output as zero.
TEST_P(DiTTest, BeginsAtZero) {
  DiT network(TwoLayers(), GetParam(), at::kCPU);
  network.parameters().Initialize(1);
  const at::NoGradGuard no_grad;
  const at::Tensor output =
      network.Forward(at::randn({2, 1, 8, 8}), at::tensor({5, 900}), at::tensor({0, 3}), {});
  EXPECT_EQ(output.sizes(), at::IntArrayRef({2, 1, 8, 8}));
  EXPECT_EQ(output.scalar_type(), at::kFloat);
  EXPECT_EQ(output.abs().max().item<float>(), 0);
}

TEST_P(DiTTest, EveryTrainableParameterGetsAFiniteGradient) {
  DiT network(TwoLayers(), GetParam(), at::kCPU);
  ParameterStore& store = network.parameters();
  store.master().copy_(at::randn_like(store.master()) * 0.2);  // Zeros would stop gradients.
  store.RefreshComputeWeights();
  store.ZeroGradients();
  network.Forward(at::randn({2, 1, 8, 8}), at::tensor({5, 900}), at::tensor({0, 2}), {})
      .square()
      .mean()
      .backward();
  store.CollectGradients(0, store.trainable_size());
  for (const Parameter& parameter : store.parameters()) {
    const at::Tensor gradient = ParameterStore::ViewOf(store.gradient(), parameter);
    EXPECT_TRUE(at::isfinite(gradient).all().item<bool>()) << parameter.name;
    // A constant added to all keys changes no softmax.
    if (parameter.name.ends_with("to_k.bias")) continue;
    EXPECT_GT(gradient.abs().max().item<float>(), 0) << parameter.name;
  }
}

INSTANTIATE_TEST_SUITE_P(Precisions, DiTTest,
                         testing::Values(configs::Precision::kFp32, configs::Precision::kBf16));

// DiT-XL/2, whose embedders of time and class diffusers has once in each block.
TEST(DiTCountTest, CountsWithoutAllocating) {
  const configs::ModelConfig model{.architecture = configs::DiTConfig{}};
  const int64_t dim = 1152, mlp = 4 * dim;
  const int64_t embedder = 256 * dim + dim + dim * dim + dim + 1001 * dim;
  const int64_t block = embedder + 6 * dim * dim + 6 * dim + 4 * (dim * dim + dim) + dim * mlp +
                        mlp + mlp * dim + dim;
  const int64_t ends = (4 * 4 * dim + dim) + (2 * dim * dim + 2 * dim) + (dim * 16 + 16);
  EXPECT_EQ(CountParameters(model), 28 * block + ends);
}

}  // namespace
}  // namespace langevin::model
