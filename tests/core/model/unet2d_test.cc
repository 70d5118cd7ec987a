// What a run relies on of the network beyond the numbers themselves, which
// tests/python/unet_parity_test.py compares with diffusers.
#include "core/model/unet2d.h"

#include "ATen/ATen.h"
#include "gtest/gtest.h"

namespace langevin::model {
namespace {

configs::UNetConfig SmallConfig() {
  configs::UNetConfig config;
  config.sample_size = {8};
  config.in_channels = config.out_channels = 1;
  config.block_out_channels = {8, 16};
  config.down_block_types = {"DownBlock2D", "AttnDownBlock2D"};
  config.up_block_types = {"AttnUpBlock2D", "UpBlock2D"};
  config.layers_per_block = 1;
  config.norm_num_groups = 4;
  config.attention_head_dim = 8;
  return config;
}

class UNet2DTest : public testing::TestWithParam<configs::Precision> {};

// The heart of "any number of ranks": dropout, too, belongs to an example, not to a batch.
TEST_P(UNet2DTest, DropoutFollowsThePositionInTheStream) {
  configs::UNetConfig config = SmallConfig();
  config.dropout = 0.5;
  UNet2D network(config, GetParam(), at::kCPU);
  network.parameters().Initialize(1);
  const at::NoGradGuard no_grad;
  const at::Tensor images = at::randn({4, 1, 8, 8});
  const at::Tensor times = at::arange(4, at::kLong);
  const ForwardContext first{.training = true, .seed = 3, .first_position = 10};
  const ForwardContext second{.training = true, .seed = 3, .first_position = 12};
  const at::Tensor all = network.Forward(images, times, {}, first);
  const at::Tensor tail =
      network.Forward(images.narrow(0, 2, 2), times.narrow(0, 2, 2), {}, second);
  EXPECT_TRUE(at::allclose(all.narrow(0, 2, 2), tail, 1e-3, 1e-3));
  const at::Tensor moved =
      network.Forward(images.narrow(0, 2, 2), times.narrow(0, 2, 2), {}, first);
  EXPECT_FALSE(at::allclose(tail, moved, 1e-3, 1e-3));
  const at::Tensor sampling = network.Forward(images, times, {}, {});
  EXPECT_TRUE(at::equal(sampling, network.Forward(images, times, {}, {.first_position = 99})));
}

TEST_P(UNet2DTest, EveryTrainableParameterGetsAGradient) {
  configs::UNetConfig config = SmallConfig();
  config.num_class_embeds = 3;
  UNet2D network(config, GetParam(), at::kCPU);
  network.parameters().Initialize(1);
  network.parameters().ZeroGradients();
  const at::Tensor output =
      network.Forward(at::randn({2, 1, 8, 8}), at::tensor({5, 900}), at::tensor({0, 2}), {});
  output.square().mean().backward();
  network.parameters().CollectGradients(0, network.parameters().trainable_size());
  for (const Parameter& parameter : network.parameters().parameters()) {
    const at::Tensor gradient = ParameterStore::ViewOf(network.parameters().gradient(), parameter);
    EXPECT_GT(gradient.abs().max().item<float>(), 0) << parameter.name;
    EXPECT_TRUE(at::isfinite(gradient).all().item<bool>()) << parameter.name;
  }
}

TEST_P(UNet2DTest, OutputIsFp32InTheInputsShape) {
  configs::UNetConfig config = SmallConfig();
  config.sample_size = {8, 12};
  UNet2D network(config, GetParam(), at::kCPU);
  network.parameters().Initialize(1);
  const at::NoGradGuard no_grad;
  const at::Tensor output =
      network.Forward(at::randn({3, 1, 8, 12}), at::zeros({3}, at::kLong), {}, {});
  EXPECT_EQ(output.sizes(), at::IntArrayRef({3, 1, 8, 12}));
  EXPECT_EQ(output.scalar_type(), at::kFloat);
}

INSTANTIATE_TEST_SUITE_P(Precisions, UNet2DTest,
                         testing::Values(configs::Precision::kFp32, configs::Precision::kBf16));

// bf16 keeps 8 bits: a percent or two of the largest value after a network of this depth.
TEST(UNet2DPrecisionTest, Bf16IsCloseToFp32) {
  UNet2D exact(SmallConfig(), configs::Precision::kFp32, at::kCPU);
  UNet2D rounded(SmallConfig(), configs::Precision::kBf16, at::kCPU);
  exact.parameters().Initialize(1);
  rounded.parameters().Initialize(1);
  const at::NoGradGuard no_grad;
  const at::Tensor images = at::randn({4, 1, 8, 8});
  const at::Tensor times = at::tensor({0, 10, 500, 999});
  const at::Tensor a = exact.Forward(images, times, {}, {});
  const at::Tensor b = rounded.Forward(images, times, {}, {});
  EXPECT_LT((a - b).abs().max().item<float>() / a.abs().max().item<float>(), 0.03);
  EXPECT_GT((a - b).abs().max().item<float>(), 0);
}

// 8,950,019 and 35,746,307 are what diffusers counts for the two benchmark models.
TEST(CountParametersTest, CountsWithoutAllocating) {
  configs::UNetConfig config;
  config.block_out_channels = {128, 256, 256, 256};
  config.down_block_types = {"DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D"};
  config.up_block_types = {"UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D"};
  EXPECT_EQ(CountParameters(config), 35746307);
  config.block_out_channels = {65536, 65536, 65536, 65536};  // 10 TB of weights.
  EXPECT_GT(CountParameters(config), int64_t{1} << 40);
}

}  // namespace
}  // namespace langevin::model
