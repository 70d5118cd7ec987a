#include "core/train/run_plan.h"

#include <map>
#include <memory>
#include <string>

#include "core/train/gradient_exchange.h"
#include "core/train/run_setup.h"
#include "gtest/gtest.h"

namespace langevin::train {
namespace {

using distributed::CollectiveKind;
using distributed::RecordedCollective;

constexpr int64_t kMibNumbers = 1 << 18;  // Of fp32.

constexpr int64_t kNumbers = 125 * kMibNumbers / 4;  // 31.25 MiB.

// Three parameters of 30, 0.5 and 0.75 MiB.
std::unique_ptr<model::ParameterStore> Model(
    int ranks, configs::Precision precision = configs::Precision::kFp32) {
  auto store = std::make_unique<model::ParameterStore>();
  store->Declare({.name = "a", .shape = {30 * kMibNumbers}});
  store->Declare({.name = "b", .shape = {kMibNumbers / 2}});
  store->Declare({.name = "c", .shape = {3 * kMibNumbers / 4}});
  store->Allocate(precision, at::kMeta, TrainableMultiple(ranks));
  return store;
}

configs::DistributedConfig Way(configs::Reduction reduction, int zero_stage) {
  configs::DistributedConfig config;
  config.reduction = reduction;
  config.zero_stage = zero_stage;
  return config;
}

BatchPlan Batch(int64_t microbatches, int ranks) {
  configs::TrainConfig config;
  config.global_batch = 4 * microbatches;
  config.microbatch = 4;
  return *BatchPlan::Create(config, 0, ranks);
}

std::map<std::string, int64_t> Memory(configs::Precision precision,
                                      const configs::DistributedConfig& way,
                                      const BatchPlan& batch) {
  std::map<std::string, int64_t> parts;
  for (const MemoryPart& part :
       MemoryOfRank(*Model(batch.ranks, precision), way, batch, 1, 2 * kMibNumbers)) {
    parts[part.name] = part.bytes;
  }
  return parts;
}

TEST(RunPlanTest, Stage1SlicesMomentsAverageAndFp32Weights) {
  const BatchPlan batch = Batch(8, 8);
  auto whole = Memory(configs::Precision::kBf16, Way(configs::Reduction::kOrdered, 0), batch);
  auto sliced = Memory(configs::Precision::kBf16, Way(configs::Reduction::kOrdered, 1), batch);
  EXPECT_EQ(whole["weights fp32"], 4 * kNumbers);
  EXPECT_EQ(whole["moments"], 8 * kNumbers);
  for (const char* part : {"moments", "average", "weights fp32"}) {
    EXPECT_EQ(sliced[part], whole[part] / 8) << part;
  }
  for (const char* part : {"weights bf16", "gradients fp32", "gradients bf16"}) {
    EXPECT_EQ(sliced[part], whole[part]) << part;
  }
  sliced = Memory(configs::Precision::kFp32, Way(configs::Reduction::kOrdered, 1), batch);
  EXPECT_EQ(sliced["weights fp32"], 4 * kNumbers) << "which forward and backward use";
  EXPECT_EQ(whole["exchange"], 2 << 20);
}

TEST(RunPlanTest, WhereNothingHidesExchangesTheOptimizerIsSliced) {
  configs::RunConfig config;
  config.train.precision = configs::Precision::kBf16;
  EXPECT_EQ(ZeroStageOf(config, /*ranks=*/2, /*overlaps=*/false), 1);
  EXPECT_EQ(ZeroStageOf(config, /*ranks=*/2, /*overlaps=*/true), 0);
  EXPECT_EQ(ZeroStageOf(config, /*ranks=*/1, /*overlaps=*/false), 0);
  config.model.emplace().architecture = configs::Edm2UNetConfig();
  EXPECT_EQ(ZeroStageOf(config, /*ranks=*/2, /*overlaps=*/false), 0) << "which it needs in bf16";
  config.train.precision = configs::Precision::kFp32;
  EXPECT_EQ(ZeroStageOf(config, /*ranks=*/2, /*overlaps=*/false), 1);
  for (const int stage : {0, 1}) {
    config.distributed.zero_stage = stage;
    EXPECT_EQ(ZeroStageOf(config, /*ranks=*/2, /*overlaps=*/stage == 1), stage) << "as set";
  }
}

// A plan and the start table must not tell two stories.
TEST(RunPlanTest, WithoutPartialSumsMemoryIsTheStateOfTheStartTable) {
  for (const configs::Precision precision :
       {configs::Precision::kFp32, configs::Precision::kBf16}) {
    for (const int stage : {0, 1}) {
      configs::RunConfig config;
      config.train.precision = precision;
      config.distributed = Way(configs::Reduction::kFast, stage);
      config.distributed.gradient_precision = precision;
      int64_t sum = 0;
      for (const auto& [name, bytes] : Memory(precision, config.distributed, Batch(8, 8))) {
        sum += bytes;
      }
      EXPECT_EQ(sum, StateBytes(kNumbers, config, 8, stage));
    }
  }
}

// A run of 8 microbatches holds sums of 4, 2 and 1 while the last one comes.
TEST(RunPlanTest, AccumulationNeedsASumForEachDigitOfTheCounter) {
  const auto sums = [&](configs::Reduction reduction, int64_t microbatches, int ranks) {
    return Memory(configs::Precision::kFp32, Way(reduction, 0),
                  Batch(microbatches, ranks))["partial sums"] /
           (4 * kNumbers);
  };
  EXPECT_EQ(sums(configs::Reduction::kOrdered, 2, 2), 0);
  EXPECT_EQ(sums(configs::Reduction::kOrdered, 16, 2), 3);
  EXPECT_EQ(sums(configs::Reduction::kFast, 16, 2), 1);
}

Traffic TrafficOf(const configs::DistributedConfig& way, const BatchPlan& batch,
                  at::DeviceType device = at::kMeta,
                  configs::Precision precision = configs::Precision::kFp32) {
  const auto result = TrafficOfStep(*Model(batch.ranks, precision), way, batch, device);
  EXPECT_TRUE(result.ok()) << result.status();
  return *result;
}

TEST(RunPlanTest, TrafficIsWhatReducerAndSlicesAskFor) {
  const BatchPlan batch = Batch(8, 8);
  const int64_t first = 5 << 18;  // Bytes of the first bucket: 1.25 MiB.
  const Traffic fast = TrafficOf(Way(configs::Reduction::kFast, 0), batch);
  ASSERT_EQ(fast.buckets.size(), 2);
  EXPECT_EQ(fast.buckets[0].collectives,
            (std::vector<RecordedCollective>{{CollectiveKind::kAllReduce, first, 1}}));
  const Traffic ordered = TrafficOf(Way(configs::Reduction::kOrdered, 0), batch);
  EXPECT_EQ(ordered.buckets[0].collectives,
            (std::vector<RecordedCollective>{{CollectiveKind::kAllToAll, first, 1},
                                             {CollectiveKind::kAllGather, first, 1}}));
  EXPECT_EQ(ordered.BytesSent(8), fast.BytesSent(8)) << "as a ring all-reduce";
  EXPECT_EQ(fast.BytesSent(8), 2 * 7 * (4 * kNumbers) / 8);
  EXPECT_TRUE(ordered.after_update.empty());

  const Traffic sharded = TrafficOf(Way(configs::Reduction::kOrdered, 1), batch);
  EXPECT_EQ(sharded.buckets[0].collectives,
            (std::vector<RecordedCollective>{{CollectiveKind::kAllToAll, first, 1}}));
  int64_t gathered = 0;
  for (const RecordedCollective& entry : sharded.after_update) {
    EXPECT_EQ(entry.kind, CollectiveKind::kAllGather);
    gathered += entry.bytes * entry.count;
  }
  EXPECT_EQ(gathered, 4 * kNumbers + 8 * kNumbers / 256) << "weights, and a double a block";

  gathered = 0;
  for (const RecordedCollective& entry :
       TrafficOf(Way(configs::Reduction::kOrdered, 1), batch, at::kMeta, configs::Precision::kBf16)
           .after_update) {
    gathered += entry.bytes * entry.count;
  }
  EXPECT_EQ(gathered, 2 * kNumbers + 8 * kNumbers / 256) << "weights travel as they are used";
}

TEST(RunPlanTest, Bf16GradientsAreHalfTheBytes) {
  configs::DistributedConfig way = Way(configs::Reduction::kOrdered, 0);
  const int64_t whole = TrafficOf(way, Batch(8, 8)).BytesSent(8);
  way.gradient_precision = configs::Precision::kBf16;
  EXPECT_EQ(TrafficOf(way, Batch(8, 8)).BytesSent(8), whole / 2);
}

// On the host the reducer goes in pieces of 2 MiB: other calls, the same bytes.
TEST(RunPlanTest, PiecesDependOnWhereGradientsAre) {
  const auto way = Way(configs::Reduction::kOrdered, 0);
  const Traffic host = TrafficOf(way, Batch(2, 2), at::kCPU);
  const Traffic device = TrafficOf(way, Batch(2, 2));
  EXPECT_GT(host.CollectiveCount(), device.CollectiveCount());
  EXPECT_EQ(host.BytesSent(2), device.BytesSent(2));
}

// Runs of 3 microbatches are no subtrees: a rank sends a sum of two and a single one.
TEST(RunPlanTest, OtherRankCountsSendPartialSums) {
  const auto way = Way(configs::Reduction::kOrdered, 0);
  const RecordedCollective first = TrafficOf(way, Batch(9, 3)).buckets[0].collectives[0];
  EXPECT_EQ(first.kind, CollectiveKind::kAllToAll);
  EXPECT_GT(first.count, 1);
}

// A network on which a bucket of n bytes takes n / 1e9 s.
distributed::Network GigabytePerSecond(bool uses_compute_cores) {
  distributed::Network network;
  network.measured[CollectiveKind::kAllReduce] = {.alpha_s = 0, .bytes_per_s = 1e9, .ranks = 2};
  network.measured[CollectiveKind::kAllGather] = network.measured[CollectiveKind::kAllReduce];
  network.uses_compute_cores = uses_compute_cores;
  return network;
}

TEST(RunPlanTest, OnlyWhatBackwardDoesNotHideIsExposed) {
  const BatchPlan batch = Batch(2, 2);
  const Traffic traffic{.buckets = {{500, {{CollectiveKind::kAllReduce, 500'000'000, 1}}},
                                    {500, {{CollectiveKind::kAllReduce, 500'000'000, 1}}}}};
  // Backward takes 4 s: its first half is done at 4 s, the second at 6 s. The first exchange ends
  // at 4.5 s; of the second nothing is hidden.
  StepTime time = PredictStep({.microbatch_s = 6, .optimizer_s = 1}, /*zero_stage=*/0, batch,
                              traffic, GigabytePerSecond(false));
  EXPECT_DOUBLE_EQ(time.communication_s, 1);
  EXPECT_NEAR(time.exposed_s, 0.5, 1e-12);
  EXPECT_NEAR(time.step_s, 7.5, 1e-12);
  EXPECT_NEAR(time.efficiency, 7 / 7.5, 1e-12);
  // Where the same cores exchange and compute, nothing is.
  time = PredictStep({.microbatch_s = 6, .optimizer_s = 1}, /*zero_stage=*/0, batch, traffic,
                     GigabytePerSecond(true));
  EXPECT_DOUBLE_EQ(time.exposed_s, 1);
}

TEST(RunPlanTest, Stage1SharesTheUpdateAndExposesTheGather) {
  const BatchPlan batch = Batch(2, 2);
  const Traffic traffic{.buckets = {{500, {}}},
                        .after_update = {{CollectiveKind::kAllGather, 250'000'000, 2}}};
  const StepTime time = PredictStep({.microbatch_s = 6, .optimizer_s = 1}, /*zero_stage=*/1, batch,
                                    traffic, GigabytePerSecond(false));
  EXPECT_DOUBLE_EQ(time.compute_s, 6.5);
  EXPECT_DOUBLE_EQ(time.exposed_s, 0.5);
}

}  // namespace
}  // namespace langevin::train
