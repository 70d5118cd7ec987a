#include "core/model/uncertainty.h"

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "core/model/make_network.h"
#include "gtest/gtest.h"

namespace langevin::model {
namespace {

std::vector<configs::ModelConfig> EveryFamily() {
  configs::UNetConfig unet;
  unet.in_channels = unet.out_channels = 1;
  unet.block_out_channels = {8, 16};
  unet.down_block_types = {"DownBlock2D", "DownBlock2D"};
  unet.up_block_types = {"UpBlock2D", "UpBlock2D"};
  unet.layers_per_block = 1;
  unet.norm_num_groups = 4;
  configs::Edm2UNetConfig edm2;
  edm2.in_channels = 1;
  edm2.model_channels = 8;
  edm2.channel_mult = {1, 2};
  edm2.num_blocks = 1;
  edm2.channels_per_head = 8;
  configs::DiTConfig dit;
  dit.num_attention_heads = 2;
  dit.attention_head_dim = 8;
  dit.in_channels = 1;
  dit.num_layers = 1;
  dit.num_embeds_ada_norm = 3;
  dit.sample_size = 8;
  return {{.architecture = unet}, {.architecture = edm2}, {.architecture = dit}};
}

std::unique_ptr<Network> NetworkOf(const configs::ModelConfig& model, bool learns_uncertainty) {
  configs::RunConfig config;
  config.model = model;
  config.diffusion.loss.uncertainty = learns_uncertainty;
  auto network = MakeNetwork(config, configs::Precision::kFp32, at::kCPU);
  network->parameters().Initialize(1);
  return network;
}

// The network itself is the same with it and without: it is behind all other parameters, and of use
// in training alone.
TEST(UncertaintyTest, EveryFamilyHasItBesideItself) {
  const at::Tensor levels = at::tensor({-1.5, 0.0, 1.0}, at::kFloat);
  for (const configs::ModelConfig& model : EveryFamily()) {
    SCOPED_TRACE(model.family());
    const auto with = NetworkOf(model, true), without = NetworkOf(model, false);
    EXPECT_FALSE(without->UncertaintyAt(levels).defined());
    EXPECT_TRUE(at::equal(with->UncertaintyAt(levels), at::zeros({3, 1, 1, 1})));
    const auto& more = with->parameters().parameters();
    const auto& fewer = without->parameters().parameters();
    ASSERT_EQ(more.size(), fewer.size() + 3);
    for (size_t i = 0; i < more.size(); ++i) {
      if (i >= fewer.size()) {
        EXPECT_TRUE(IsForTrainingAlone(more[i].name)) << more[i].name;
        continue;
      }
      EXPECT_EQ(more[i].name, fewer[i].name);
      EXPECT_FALSE(IsForTrainingAlone(more[i].name)) << more[i].name;
      EXPECT_TRUE(at::equal(more[i].weight, fewer[i].weight)) << more[i].name;
    }
  }
}

// Whatever the errors at different noise, minimising E / e^u + u finds u = log E at each level.
TEST(UncertaintyTest, LearnsTheLogarithmOfTheLossAtEachLevel) {
  ParameterStore store;
  const Uncertainty uncertainty(store);
  store.Allocate(configs::Precision::kFp32, at::kCPU);
  store.Initialize(3);
  const at::Tensor levels = at::linspace(-1.5, 1, 8, at::kFloat);
  const at::Tensor losses = at::exp(3 * at::sin(4 * levels) - 2).view({-1, 1, 1, 1});
  for (int step = 0; step < 2000; ++step) {
    store.ZeroGradients();
    const at::Tensor u = uncertainty(levels);
    (losses * at::exp(-u) + u).mean().backward();
    const at::NoGradGuard no_grad;
    at::Tensor weights = store.master();
    weights.narrow(0, 0, store.trainable_size()).sub_(0.02 * store.gradient());
  }
  const at::Tensor error = uncertainty(levels) - at::log(losses);
  EXPECT_LT(error.abs().max().item<double>(), 0.01);
}

}  // namespace
}  // namespace langevin::model
