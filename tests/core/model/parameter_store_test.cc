#include "core/model/parameter_store.h"

#include <memory>

#include "ATen/ATen.h"
#include "core/model/layers.h"
#include "core/model/state_dict.h"
#include "gtest/gtest.h"

namespace langevin::model {
namespace {

std::unique_ptr<ParameterStore> MakeStore(configs::Precision precision) {
  auto store = std::make_unique<ParameterStore>();
  Conv2d(*store, "conv", 3, 5, 3);
  store->Declare({.name = "frequencies",
                  .shape = {7},
                  .initializer = {Initializer::Kind::kNormal, 16},
                  .trainable = false,
                  .keep_fp32 = true});
  Linear(*store, "linear", 4, 6);
  store->Allocate(precision, at::kCPU);
  store->Initialize(/*seed=*/1);
  return store;
}

TEST(ParameterStoreTest, TrainableParametersComeFirstAndAligned) {
  const auto store = MakeStore(configs::Precision::kFp32);
  EXPECT_EQ(store->num_parameters(), 3 * 5 * 9 + 5 + 7 + 24 + 6);
  for (const Parameter& parameter : store->parameters()) {
    EXPECT_EQ(
        reinterpret_cast<uintptr_t>(store->master().data_ptr<float>() + parameter.offset) % 64, 0U);
    EXPECT_EQ(parameter.offset >= store->trainable_size(), !parameter.trainable);
  }
}

TEST(ParameterStoreTest, InitialWeightsDependOnSeedAndNameAlone) {
  const auto a = MakeStore(configs::Precision::kFp32);
  const auto b = MakeStore(configs::Precision::kBf16);
  EXPECT_TRUE(at::equal(a->master(), b->master()));
  b->Initialize(/*seed=*/2);
  EXPECT_FALSE(at::equal(a->master(), b->master()));
}

// PyTorch's nn.Conv2d: U(-1/sqrt(27), 1/sqrt(27)) for 3 input channels and a 3x3 kernel.
TEST(ParameterStoreTest, WeightsFillTheRangeOfPyTorchsDefault) {
  const auto store = MakeStore(configs::Precision::kFp32);
  const at::Tensor weight = store->parameters()[0].weight;
  EXPECT_EQ(weight.sizes(), at::IntArrayRef({5, 3, 3, 3}));
  const double bound = 1 / std::sqrt(27.0);
  EXPECT_LE(weight.abs().max().item<double>(), bound);
  EXPECT_GT(weight.abs().max().item<double>(), 0.9 * bound);
  EXPECT_NEAR(weight.mean().item<double>(), 0, 5 * bound / std::sqrt(3.0 * 135));
}

TEST(ParameterStoreTest, BackwardFillsTheFlatGradientInBothPrecisions) {
  for (const configs::Precision precision :
       {configs::Precision::kFp32, configs::Precision::kBf16}) {
    const auto store = MakeStore(precision);
    store->ZeroGradients();
    for (const Parameter& parameter : store->parameters()) {
      if (parameter.trainable) (parameter.weight * 2).sum().backward();
    }
    store->CollectGradients(0, store->trainable_size());
    for (const Parameter& parameter : store->parameters()) {
      if (!parameter.trainable) continue;
      const at::Tensor gradient = ParameterStore::ViewOf(store->gradient(), parameter);
      EXPECT_TRUE(at::equal(gradient, at::full_like(gradient, 2))) << parameter.name;
    }
  }
}

TEST(ParameterStoreTest, ScopedWeightsReplaceAndRestore) {
  const auto store = MakeStore(configs::Precision::kBf16);
  const at::Tensor other = at::ones_like(store->master());
  const at::Tensor before = store->parameters()[0].weight.clone();
  {
    const ParameterStore::ScopedWeights scoped(*store, other);
    const at::Tensor& weight = store->parameters()[0].weight;
    EXPECT_TRUE(at::equal(weight, at::ones_like(weight)));
    EXPECT_FALSE(weight.requires_grad());
  }
  EXPECT_TRUE(at::equal(store->parameters()[0].weight, before));
  EXPECT_TRUE(store->parameters()[0].weight.requires_grad());
}

TEST(StateDictTest, RoundTripKeepsLogicalOrder) {
  const auto store = MakeStore(configs::Precision::kFp32);
  const std::vector<NamedTensor> tensors = StateDict(*store, store->master(), "ema.");
  EXPECT_EQ(tensors[0].name, "ema.conv.weight");
  EXPECT_TRUE(tensors[0].tensor.is_contiguous());
  EXPECT_TRUE(at::equal(tensors[0].tensor, store->parameters()[0].weight));
  at::Tensor copy = at::zeros_like(store->master());
  FillFromStateDict(*store, tensors, copy);
  EXPECT_TRUE(at::equal(copy, store->master()));
  // Buffers of the optimizer have only what is trained.
  EXPECT_EQ(StateDict(*store, store->gradient(), "").size(), tensors.size() - 1);
}

}  // namespace
}  // namespace langevin::model
