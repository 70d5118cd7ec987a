#include "core/model/uncertainty.h"

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "ATen/ATen.h"
#include "core/model/make_network.h"
#include "gtest/gtest.h"
#include "tests/core/model/small_configs.h"

namespace langevin::model {
namespace {

std::vector<configs::ModelConfig> EveryFamily() {
  return {{.architecture = SmallUNet()},
          {.architecture = SmallEdm2UNet()},
          {.architecture = SmallDiT()}};
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
