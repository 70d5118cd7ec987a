// That magnitudes are kept, which is what the network is about, and what a run relies on.
#include "core/model/edm2_unet.h"

#include <cmath>
#include <utility>

#include "ATen/ATen.h"
#include "core/model/make_network.h"
#include "gtest/gtest.h"

namespace langevin::model {
namespace {

double RootMeanSquare(const at::Tensor& x) {
  return std::sqrt(x.to(at::kDouble).square().mean().item<double>());
}

configs::Edm2UNetConfig SmallEdm2UNet() {
  configs::Edm2UNetConfig config;
  config.sample_size = {16};
  config.in_channels = 2;
  config.model_channels = 32;
  config.channel_mult = {1, 2};
  config.num_blocks = 2;
  config.attention_levels = {1};
  config.channels_per_head = 32;
  config.num_classes = 4;
  return config;
}

TEST(MpLayersTest, KeepUnitMagnitude) {
  const at::NoGradGuard no_grad;
  at::manual_seed(1);
  const at::Tensor a = at::randn({8, 64, 16, 16}), b = at::randn({8, 32, 16, 16});
  EXPECT_NEAR(RootMeanSquare(MpSilu(a)), 1, 0.01);
  for (const double t : {0.0, 0.3, 0.5, 1.0}) {
    EXPECT_NEAR(RootMeanSquare(MpSum(a, at::randn_like(a), t)), 1, 0.01) << t;
    const at::Tensor both = MpCat(a, b, t);
    EXPECT_NEAR(RootMeanSquare(both), 1, 0.01) << t;
    if (t != 0.5) continue;
    // Each half contributes the same, whatever its number of channels.
    EXPECT_NEAR(both.narrow(1, 0, 64).square().sum().item<double>() /
                    both.narrow(1, 64, 32).square().sum().item<double>(),
                1, 0.05);
  }
  const at::Tensor unit = UnitMagnitude(7 * a, 1);
  EXPECT_TRUE(at::allclose(unit.square().mean(1), at::ones({8, 16, 16}), 1e-3, 1e-3));

  ParameterStore store;
  const MpConv conv(store, "conv", 64, 48, 3), linear(store, "linear", 64, 48, 0);
  const MpFourier fourier(store, "fourier", 256);
  store.Allocate(configs::Precision::kFp32, at::kCPU);
  store.Initialize(1);
  EXPECT_NEAR(RootMeanSquare(conv(a).narrow(2, 1, 14).narrow(3, 1, 14)), 1, 0.05);
  EXPECT_NEAR(RootMeanSquare(linear(at::randn({512, 64}))), 1, 0.05);
  EXPECT_NEAR(RootMeanSquare(linear.OfOneHot(at::arange(64, at::kLong))), 1, 0.05);
  EXPECT_NEAR(RootMeanSquare(fourier(at::randn({64}))), 1, 0.05);
  // One-hot vectors are inputs like others.
  const at::Tensor index = at::tensor({3, 60});
  EXPECT_TRUE(at::allclose(linear.OfOneHot(index), linear(at::eye(64).index_select(0, index) * 8),
                           1e-5, 1e-5));
}

// Sixteen blocks deep, in either precision: without the normalisations this doubles at each block.
TEST(MpBlockTest, KeepMagnitudesThroughDepth) {
  for (const auto precision : {configs::Precision::kFp32, configs::Precision::kBf16}) {
    ParameterStore store;
    std::vector<MpBlock> blocks;
    for (int i = 0; i < 16; ++i) {
      blocks.emplace_back(
          store, "blocks." + std::to_string(i), SmallEdm2UNet(),
          MpBlockShape{
              .in_channels = 64, .out_channels = 64, .decoder = i % 2 == 1, .attention = i % 4 < 2},
          32, i);
    }
    store.Allocate(precision, at::kCPU);
    store.Initialize(3);
    const at::NoGradGuard no_grad;
    at::manual_seed(2);
    const at::ScalarType dtype =
        precision == configs::Precision::kBf16 ? at::kBFloat16 : at::kFloat;
    at::Tensor x = at::randn({2, 64, 16, 16}).to(dtype);
    const at::Tensor embedding = at::randn({2, 32}).to(dtype);
    for (size_t i = 0; i < blocks.size(); ++i) {
      x = blocks[i](x, embedding, {});
      EXPECT_NEAR(RootMeanSquare(x), 1, 0.25) << i;
    }
  }
}

class Edm2UNetTest : public testing::TestWithParam<configs::Precision> {
 protected:
  static at::Tensor Output(const Edm2UNet& network) {
    at::manual_seed(4);
    return network.Forward(at::randn({3, 2, 16, 16}), at::tensor({-1.5, 0.0, 1.0}, at::kFloat),
                           at::tensor({0, 3, 1}), {});
  }
  static void SetGains(ParameterStore& store, float value) {
    const at::NoGradGuard no_grad;
    for (const Parameter& parameter : store.parameters()) {
      if (parameter.name.ends_with("gain")) {
        ParameterStore::ViewOf(store.master(), parameter).fill_(value);
      }
    }
    store.RefreshComputeWeights();
  }
};

TEST_P(Edm2UNetTest, OutputIsZeroAtFirstAndOfUnitMagnitudeForGainOne) {
  Edm2UNet network(SmallEdm2UNet(), GetParam(), at::kCPU);
  network.parameters().Initialize(1);
  const at::NoGradGuard no_grad;
  EXPECT_EQ(Output(network).abs().max().item<float>(), 0);
  SetGains(network.parameters(), 1);
  const at::Tensor output = Output(network);
  EXPECT_EQ(output.sizes(), at::IntArrayRef({3, 2, 16, 16}));
  EXPECT_EQ(output.scalar_type(), at::kFloat);
  EXPECT_NEAR(RootMeanSquare(output), 1, 0.3);
}

TEST_P(Edm2UNetTest, EveryTrainableParameterGetsAFiniteGradient) {
  Edm2UNet network(SmallEdm2UNet(), GetParam(), at::kCPU);
  ParameterStore& store = network.parameters();
  store.Initialize(1);
  SetGains(store, 0.7F);
  store.ZeroGradients();
  at::manual_seed(5);
  (Output(network) - at::randn({3, 2, 16, 16})).square().mean().backward();
  store.CollectGradients(0, store.trainable_size());
  for (const Parameter& parameter : store.parameters()) {
    if (!parameter.trainable) continue;
    const at::Tensor gradient = ParameterStore::ViewOf(store.gradient(), parameter);
    EXPECT_TRUE(at::isfinite(gradient).all().item<bool>()) << parameter.name;
    EXPECT_GT(gradient.abs().max().item<float>(), 0) << parameter.name;
  }
}

// After an update that made weights larger, rows have unit mean square again, and the network,
// which looks at their directions alone, is the same.
TEST_P(Edm2UNetTest, NormalizesWeightsAfterUpdates) {
  Edm2UNet network(SmallEdm2UNet(), GetParam(), at::kCPU);
  ParameterStore& store = network.parameters();
  store.Initialize(1);
  SetGains(store, 1);
  const at::NoGradGuard no_grad;
  const at::Tensor before = Output(network);
  int rows = 0;
  for (const Parameter& parameter : store.parameters()) {
    if (parameter.unit_rows) ParameterStore::ViewOf(store.master(), parameter).mul_(3);
  }
  store.NormalizeRows();
  for (const Parameter& parameter : store.parameters()) {
    if (!parameter.unit_rows) continue;
    const at::Tensor weight = ParameterStore::ViewOf(store.master(), parameter);
    for (int64_t row = 0; row < weight.size(0); ++row, ++rows) {
      ASSERT_NEAR(RootMeanSquare(weight[row]), 1, 1e-3) << parameter.name;
    }
  }
  EXPECT_GT(rows, 1000);
  EXPECT_TRUE(at::allclose(Output(network), before, 0.05, 0.05));
}

TEST_P(Edm2UNetTest, TakesImagesThatAreNotSquare) {
  configs::Edm2UNetConfig config = SmallEdm2UNet();
  config.sample_size = {8, 12};
  config.num_classes.reset();
  Edm2UNet network(config, GetParam(), at::kCPU);
  network.parameters().Initialize(1);
  const at::NoGradGuard no_grad;
  EXPECT_EQ(network.Forward(at::randn({1, 2, 8, 12}), at::tensor({1}), {}, {}).sizes(),
            at::IntArrayRef({1, 2, 8, 12}));
}

// Karras et al. 2024, table 2, for latents of ImageNet-512: millions of parameters.
TEST(Edm2UNetCountTest, SizesAreThoseOfThePaper) {
  for (const auto& [channels, millions] : {std::pair(128, 124.7),
                                           {192, 280.2},
                                           {256, 497.8},
                                           {320, 777.5},
                                           {384, 1119.3},
                                           {448, 1523.2}}) {
    configs::Edm2UNetConfig config;
    config.in_channels = 4;
    config.model_channels = channels;
    config.attention_levels = {2, 3};
    config.num_classes = 1000;
    const int64_t count = CountParameters({.architecture = config});
    EXPECT_NEAR(static_cast<double>(count) * 1e-6, millions, 0.06) << channels;
  }
}

INSTANTIATE_TEST_SUITE_P(Precisions, Edm2UNetTest,
                         testing::Values(configs::Precision::kFp32, configs::Precision::kBf16));

}  // namespace
}  // namespace langevin::model
