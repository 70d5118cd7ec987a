// The gradients of a real network, cut into ranks and buckets in every way, have the same bits.
#include "core/train/gradient_exchange.h"

#include <mutex>
#include <optional>

#include "ATen/ATen.h"
#include "ATen/Parallel.h"
#include "core/model/unet2d.h"
#include "gtest/gtest.h"
#include "tests/distributed/local_ranks.h"

namespace langevin::train {
namespace {

using configs::Precision;

// Class labels, attention and dropout; 2 MiB of gradients, so two buckets.
configs::UNetConfig Config() {
  configs::UNetConfig config;
  config.sample_size = {8};
  config.in_channels = config.out_channels = 1;
  config.block_out_channels = {32, 64};
  config.down_block_types = {"DownBlock2D", "AttnDownBlock2D"};
  config.up_block_types = {"AttnUpBlock2D", "UpBlock2D"};
  config.layers_per_block = 1;
  config.norm_num_groups = 8;
  config.attention_head_dim = 8;
  config.num_class_embeds = 3;
  config.dropout = 0.1;
  return config;
}

std::unique_ptr<model::UNet2D> MakeNetwork(Precision precision) {
  auto network = std::make_unique<model::UNet2D>(Config(), precision, at::kCPU);
  network->parameters().Initialize(1);
  return network;
}

at::Tensor Loss(model::UNet2D& network, int64_t microbatch) {
  const at::Tensor images =
      at::sin(at::arange(2 * 64, at::kFloat) * (0.37 + 0.1 * static_cast<double>(microbatch)))
          .view({2, 1, 8, 8});
  return network
      .Forward(images, at::tensor({5, 900}), at::tensor({microbatch % 3, int64_t{2}}),
               {.training = true, .seed = 3, .first_position = 2 * microbatch})
      .square()
      .mean();
}

// The sum over 4 microbatches on `ranks` ranks, which must be the same on all of them.
at::Tensor SumOn(int ranks, Precision precision, const configs::DistributedConfig& config) {
  std::mutex mutex;
  at::Tensor result;
  distributed::RunLocalRanks(ranks, [&](distributed::Communicator& communicator) {
    at::set_num_threads(1);
    const auto network = MakeNetwork(precision);
    GradientExchange exchange(communicator, network->parameters(), config, 4);
    at::Tensor sum;
    for (int step = 0; step < 2; ++step) {
      for (int64_t i = 0; i < 4 / ranks; ++i) {
        const at::Tensor loss = Loss(*network, communicator.rank() * (4 / ranks) + i);
        ASSERT_TRUE(exchange.BeforeBackward().ok());
        loss.backward();
        ASSERT_TRUE(exchange.AfterBackward().ok());
      }
      const absl::StatusOr<at::Tensor> finished = exchange.Finish();
      ASSERT_TRUE(finished.ok()) << finished.status();
      if (step == 1) {
        EXPECT_TRUE(at::equal(*finished, sum)) << "a second step";
      }
      sum = finished->clone();
    }
    const std::lock_guard lock(mutex);
    if (result.defined()) {
      EXPECT_TRUE(at::equal(result, sum)) << "rank " << communicator.rank();
    }
    result = sum;
  });
  return result;
}

struct Case {
  Precision compute;
  Precision gradients;
};

class GradientExchangeTest : public testing::TestWithParam<Case> {};

TEST_P(GradientExchangeTest, TheSameBitsForEveryNumberOfRanks) {
  const configs::DistributedConfig config{.gradient_precision = GetParam().gradients};
  const at::Tensor one = SumOn(1, GetParam().compute, config);
  ASSERT_GT(one.abs().max().item<float>(), 0);
  EXPECT_TRUE(at::equal(SumOn(2, GetParam().compute, config), one));
  EXPECT_TRUE(at::equal(SumOn(4, GetParam().compute, config), one));
}

TEST_P(GradientExchangeTest, FastGivesTheSumUpToRounding) {
  configs::DistributedConfig config{.gradient_precision = GetParam().gradients};
  const at::Tensor ordered = SumOn(1, GetParam().compute, config);
  config.reduction = configs::Reduction::kFast;
  const double error = (SumOn(4, GetParam().compute, config) - ordered).norm().item<double>() /
                       ordered.norm().item<double>();
  EXPECT_LT(error, GetParam().gradients == Precision::kBf16 ? 1e-2 : 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Precisions, GradientExchangeTest,
                         testing::Values(Case{Precision::kFp32, Precision::kFp32},
                                         Case{Precision::kBf16, Precision::kFp32},
                                         Case{Precision::kFp32, Precision::kBf16},
                                         Case{Precision::kBf16, Precision::kBf16}));

class BackwardObserverTest : public testing::TestWithParam<Precision> {};

// What overlap means: the first bucket leaves while most of backward is still to come. In bf16 the
// parameters that compute in fp32, which are all through the network, must not hold it up.
TEST_P(BackwardObserverTest, ReportsABucketBeforeBackwardIsOver) {
  const auto network = MakeNetwork(GetParam());
  model::ParameterStore& store = network->parameters();
  const std::vector<distributed::Bucket> buckets = BucketsOf(store, 1);
  ASSERT_GE(buckets.size(), 2);
  std::vector<int64_t> reported;
  std::vector<bool> input_was_there;
  BackwardObserver observer(store, buckets, [&](int64_t bucket) {
    reported.push_back(bucket);
    const at::Tensor input = store.parameters().front().weight.grad();
    input_was_there.push_back(input.abs().max().item<float>() > 0);
    const distributed::Bucket& own = buckets[bucket];
    store.CollectGradients(own.begin, own.end);
    EXPECT_GT(store.gradient().narrow(0, own.begin, own.size()).abs().max().item<float>(), 0);
  });
  const at::Tensor loss = Loss(*network, 0);
  store.ZeroGradients();
  observer.Arm();
  loss.backward();
  observer.Disarm();
  ASSERT_EQ(reported.size(), buckets.size());
  for (size_t i = 0; i < reported.size(); ++i) EXPECT_EQ(reported[i], i);
  EXPECT_FALSE(input_was_there.front());
}

INSTANTIATE_TEST_SUITE_P(Precisions, BackwardObserverTest,
                         testing::Values(Precision::kFp32, Precision::kBf16));

TEST(BackwardObserver, WithoutArmingNothingIsReported) {
  const auto network = MakeNetwork(Precision::kFp32);
  int reports = 0;
  {
    BackwardObserver observer(network->parameters(), BucketsOf(network->parameters(), 1),
                              [&](int64_t) { ++reports; });
    Loss(*network, 0).backward();
  }
  Loss(*network, 0).backward();  // And the hooks go with the observer.
  EXPECT_EQ(reports, 0);
}

}  // namespace
}  // namespace langevin::train
