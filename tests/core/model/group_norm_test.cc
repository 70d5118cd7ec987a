#include "core/model/group_norm.h"

#include "ATen/ATen.h"
#include "gtest/gtest.h"

namespace langevin::model {
namespace {

struct Case {
  int64_t images, channels, height, width, groups;
  bool silu;
  double mean;  // Of the input: large ones show what a one-pass variance loses.
};

class GroupNormTest : public testing::TestWithParam<Case> {};

// The reference is ATen's group norm and SiLU in double.
at::Tensor Reference(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                     const Case& c) {
  const at::Tensor y = at::group_norm(x, c.groups, weight, bias, 1e-5);
  return c.silu ? at::silu(y) : y;
}

double LargestDifference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>() /
         b.abs().max().item<double>();
}

TEST_P(GroupNormTest, ForwardAndBackwardAreThoseOfDoublePrecision) {
  const Case& c = GetParam();
  at::manual_seed(1);
  const at::Tensor x = (at::randn({c.images, c.channels, c.height, c.width}) + c.mean)
                           .contiguous(at::MemoryFormat::ChannelsLast)
                           .requires_grad_(true);
  const at::Tensor weight = (at::randn({c.channels})).requires_grad_(true);
  const at::Tensor bias = (at::randn({c.channels})).requires_grad_(true);
  const at::Tensor grad_y = at::randn(x.sizes());
  const at::Tensor y = GroupNorm(x, weight, bias, c.groups, 1e-5, c.silu);
  y.backward(grad_y);

  const at::Tensor x64 = x.detach().to(at::kDouble).requires_grad_(true);
  const at::Tensor weight64 = weight.detach().to(at::kDouble).requires_grad_(true);
  const at::Tensor bias64 = bias.detach().to(at::kDouble).requires_grad_(true);
  const at::Tensor y64 = Reference(x64, weight64, bias64, c);
  y64.backward(grad_y.to(at::kDouble));

  // The rounding of x - mean alone is mean * 2^-24.
  const double tolerance = 3e-6 + c.mean * 1e-6;
  EXPECT_TRUE(y.is_contiguous(at::MemoryFormat::ChannelsLast));
  EXPECT_LT(LargestDifference(y, y64), tolerance);
  EXPECT_LT(LargestDifference(x.grad(), x64.grad()), tolerance);
  EXPECT_LT(LargestDifference(weight.grad(), weight64.grad()), tolerance);
  EXPECT_LT(LargestDifference(bias.grad(), bias64.grad()), tolerance);
}

INSTANTIATE_TEST_SUITE_P(Shapes, GroupNormTest,
                         testing::Values(Case{2, 32, 7, 7, 8, true, 0},
                                         Case{3, 48, 5, 9, 3, false, 0},
                                         Case{1, 12, 2, 2, 3, true, 0},
                                         Case{2, 64, 16, 16, 32, true, 30},
                                         Case{2, 20, 33, 3, 20, false, 100}));

TEST(GroupNormTest, Bf16IsRoundedOnceFromFp32) {
  const at::Tensor x = at::randn({2, 32, 6, 6}).to(at::kBFloat16);
  const at::Tensor weight = at::randn({32}), bias = at::randn({32});
  const at::Tensor y = GroupNorm(x, weight, bias, 8, 1e-5, /*silu=*/true);
  const at::Tensor y32 = GroupNorm(x.to(at::kFloat), weight, bias, 8, 1e-5, /*silu=*/true);
  EXPECT_EQ(y.scalar_type(), at::kBFloat16);
  EXPECT_TRUE(at::equal(y, y32.to(at::kBFloat16)));
}

// A run must not depend on how images are grouped into batches.
TEST(GroupNormTest, AnImageDoesNotDependOnItsNeighbours) {
  const at::Tensor x = at::randn({5, 32, 6, 6});
  const at::Tensor weight = at::randn({32}), bias = at::randn({32});
  const at::Tensor all = GroupNorm(x, weight, bias, 8, 1e-5, /*silu=*/true);
  const at::Tensor one = GroupNorm(x.narrow(0, 3, 1), weight, bias, 8, 1e-5, /*silu=*/true);
  EXPECT_TRUE(at::equal(all.narrow(0, 3, 1), one));
}

TEST(GroupNormTest, LargeActivationsSaturateInsteadOfOverflowing) {
  const at::Tensor x = at::tensor({-1e4F, 1e4F, -1.0F, 1.0F}).view({1, 4, 1, 1});
  const at::Tensor weight = at::full({4}, 1e3F), bias = at::zeros({4});
  const at::Tensor y = GroupNorm(x, weight, bias, 2, 1e-5, /*silu=*/true);
  EXPECT_TRUE(at::isfinite(y).all().item<bool>());
  EXPECT_NEAR(y.flatten()[0].item<float>(), 0, 1e-20);
  EXPECT_NEAR(y.flatten()[1].item<float>(), 1000, 0.1);
}

}  // namespace
}  // namespace langevin::model
