// Label dropout and augmentation labels.
#include "core/model/conditioning.h"

#include "ATen/ATen.h"
#include "core/model/make_network.h"
#include "core/model/unet2d.h"
#include "gtest/gtest.h"
#include "tests/core/model/small_configs.h"

namespace langevin::model {
namespace {

configs::UNetConfig ConditionalUNet() {
  configs::UNetConfig config = SmallUNet();
  config.num_class_embeds = 3;
  return config;
}

TEST(DropLabelsTest, DropsAsOftenAsAskedAndByPosition) {
  const at::Tensor labels = at::arange(20000, at::kLong).remainder(10);
  const ForwardContext context{.training = true, .seed = 7, .first_position = 100};
  const at::Tensor dropped = DropLabels(labels, 0.1, 10, context);
  const at::Tensor is_null = dropped.eq(10);
  EXPECT_NEAR(is_null.to(at::kDouble).mean().item<double>(), 0.1, 0.01);
  EXPECT_TRUE(at::equal(dropped.masked_select(~is_null), labels.masked_select(~is_null)));
  // The same examples in another batch.
  const ForwardContext later{.training = true, .seed = 7, .first_position = 5100};
  EXPECT_TRUE(at::equal(DropLabels(labels.narrow(0, 5000, 300), 0.1, 10, later),
                        dropped.narrow(0, 5000, 300)));
  EXPECT_TRUE(at::equal(DropLabels(labels, 0.1, 10, {}), labels));
  EXPECT_TRUE(at::equal(DropLabels(labels, 0, 10, context), labels));
}

// Every kind of network sees the null label in training, and one row more holds it.
TEST(LabelDropoutTest, TrainsTheNullLabel) {
  configs::Edm2UNetConfig edm2 = SmallEdm2UNet();
  edm2.num_classes = 3;
  for (const configs::ModelConfig& model :
       {configs::ModelConfig{.architecture = ConditionalUNet(), .label_dropout = 0.999},
        configs::ModelConfig{.architecture = SmallDiT(), .label_dropout = 0.999},
        configs::ModelConfig{.architecture = edm2, .label_dropout = 0.999}}) {
    SCOPED_TRACE(model.family());
    ASSERT_FALSE(configs::FindProblem(model).has_value());
    EXPECT_EQ(model.null_class(), 3);
    const auto network = MakeNetwork(model, configs::Precision::kFp32, at::kCPU);
    network->parameters().master().copy_(at::randn_like(network->parameters().master()) * 0.2);
    const at::NoGradGuard no_grad;
    const at::Tensor images = at::randn({2, 1, 8, 8});
    const at::Tensor times = at::tensor({0.5, 3.0}, at::kFloat);
    const auto forward = [&](const at::Tensor& labels, bool training) {
      return network->Forward(images, times, labels, {.training = training, .seed = 1});
    };
    const at::Tensor of_null = forward(at::tensor({3, 3}), false);
    EXPECT_TRUE(at::equal(forward(at::tensor({0, 1}), true), of_null));
    EXPECT_FALSE(at::equal(forward(at::tensor({0, 1}), false), of_null));
  }
}

TEST(AugmentLabelsTest, ChangeTheOutputOnceTheMapIsTrained) {
  UNet2D network(ConditionalUNet(), configs::Precision::kFp32, at::kCPU, 1, {.augment_dim = 9});
  ParameterStore& store = network.parameters();
  store.Initialize(1);
  const at::Tensor images = at::randn({2, 1, 8, 8});
  const at::Tensor times = at::tensor({5, 900}), labels = at::tensor({0, 2});
  const ForwardContext told{.training = true, .augment_labels = at::randn({2, 9})};
  // The map begins at zero: what is told changes nothing yet, but has a gradient.
  store.ZeroGradients();
  const at::Tensor output = network.Forward(images, times, labels, told);
  EXPECT_TRUE(at::equal(output, network.Forward(images, times, labels, {})));
  output.square().mean().backward();
  for (const Parameter& parameter : store.parameters()) {
    if (parameter.name != kAugmentEmbeddingName) continue;
    EXPECT_EQ(parameter.shape, (std::vector<int64_t>{8, 9}));
    EXPECT_GT(ParameterStore::ViewOf(store.gradient(), parameter).abs().max().item<float>(), 0);
    const at::NoGradGuard no_grad;
    ParameterStore::ViewOf(store.master(), parameter).fill_(0.5);
  }
  const at::NoGradGuard no_grad;
  EXPECT_FALSE(at::equal(network.Forward(images, times, labels, told),
                         network.Forward(images, times, labels, {})));
  const ForwardContext zeros{.augment_labels = at::zeros({2, 9})};
  EXPECT_TRUE(at::equal(network.Forward(images, times, labels, zeros),
                        network.Forward(images, times, labels, {})));
}

}  // namespace
}  // namespace langevin::model
