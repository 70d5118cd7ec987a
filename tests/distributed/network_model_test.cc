#include "distributed/network_model.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace langevin::distributed {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kMib = 1 << 20;

// Eight ranks a node, links of 100 GB/s inside, 10 GB/s for the node, no latency.
Network WithoutLatency() {
  return {
      .name = "test", .ranks_per_node = 8, .local_bytes_per_s = 100e9, .node_bytes_per_s = 10e9};
}

double BandwidthSeconds(CollectiveKind kind, int ranks) {
  return CollectiveSeconds(WithoutLatency(), kind, /*bytes=*/1'000'000'000, ranks);
}

TEST(NetworkModelTest, InsideANodeTheLinksOfTheRanksCount) {
  EXPECT_DOUBLE_EQ(BandwidthSeconds(CollectiveKind::kAllReduce, 8), 2 * 7.0 / 8 / 100);
  EXPECT_DOUBLE_EQ(BandwidthSeconds(CollectiveKind::kAllGather, 8), 7.0 / 8 / 100);
  EXPECT_DOUBLE_EQ(BandwidthSeconds(CollectiveKind::kAllToAll, 2), 1.0 / 2 / 100);
  EXPECT_EQ(BandwidthSeconds(CollectiveKind::kAllReduce, 1), 0);
}

// Between nodes a sum leaves a node once, but in all_to_all each of its 8 ranks has its own.
TEST(NetworkModelTest, BetweenNodesTheAdaptersOfTheNodeCount) {
  EXPECT_DOUBLE_EQ(BandwidthSeconds(CollectiveKind::kAllReduce, 16), 2 * 1.0 / 2 / 10);
  EXPECT_DOUBLE_EQ(BandwidthSeconds(CollectiveKind::kAllGather, 64), 7.0 / 8 / 10);
  EXPECT_DOUBLE_EQ(BandwidthSeconds(CollectiveKind::kAllToAll, 16), 8 * 1.0 / 2 / 10);
}

TEST(NetworkModelTest, LatencyGrowsWithTheTreeAndForAllToAllWithTheRanks) {
  Network network = WithoutLatency();
  network.local_latency_s = 1;
  network.latency_s = 100;
  network.message_s = 0.01;
  // A tree over 8 ranks has depth 3, over 64 nodes 6; all_reduce goes up and down.
  EXPECT_DOUBLE_EQ(CollectiveSeconds(network, CollectiveKind::kAllReduce, 0, 512), 6 + 1200);
  EXPECT_DOUBLE_EQ(CollectiveSeconds(network, CollectiveKind::kAllGather, 0, 8), 3);
  EXPECT_DOUBLE_EQ(CollectiveSeconds(network, CollectiveKind::kAllToAll, 0, 512),
                   1 + 100 + 511 * 0.01);
}

TEST(NetworkModelTest, AFitFindsTheLineThroughExactTimes) {
  std::vector<std::pair<int64_t, double>> times;
  for (int64_t bytes = 1024; bytes <= 64 * kMib; bytes *= 4) {
    times.emplace_back(bytes, 20e-6 + static_cast<double>(bytes) / 3e9);
  }
  const AlphaBeta fit = FitAlphaBeta(times, 2);
  EXPECT_NEAR(fit.alpha_s, 20e-6, 1e-10);
  EXPECT_NEAR(fit.bytes_per_s, 3e9, 1e3);
  // Faster than any bandwidth allows in the middle: no negative latency.
  EXPECT_EQ(FitAlphaBeta({{1000, 1e-6}, {4000, 9e-6}}, 2).alpha_s, 0);
  EXPECT_GT(FitAlphaBeta({{1000, 9e-6}, {4000, 1e-6}}, 2).bytes_per_s, 0) << "nothing but noise";
}

std::string FitLine(const std::string& kind, int ranks, double alpha_us) {
  return "{\"kind\": \"" + kind + "\", \"backend\": \"mpi\", \"ranks\": " + std::to_string(ranks) +
         ", \"alpha_us\": " + std::to_string(alpha_us) + ", \"bytes_per_s\": 1e9}\n";
}

TEST(NetworkModelTest, AMeasuredNetworkGivesBackWhatWasMeasuredAndScalesIt) {
  const std::string text = "{\"kind\": \"all_reduce\", \"bytes\": 4096, \"median_us\": 1}\n" +
                           FitLine("all_reduce", 2, 10) + FitLine("all_gather", 2, 20) +
                           FitLine("all_to_all", 2, 30) + FitLine("ordered", 2, 99);
  const absl::StatusOr<Network> network = NetworkFromJsonLines(text, "file");
  ASSERT_TRUE(network.ok()) << network.status();
  EXPECT_TRUE(network->uses_compute_cores);
  EXPECT_NEAR(CollectiveSeconds(*network, CollectiveKind::kAllReduce, 1'000'000, 2), 1.01e-3,
              1e-12);
  // Four ranks: twice the depth, and 2 * 3/4 in place of 2 * 1/2 of the bytes.
  EXPECT_NEAR(CollectiveSeconds(*network, CollectiveKind::kAllReduce, 1'000'000, 4), 20e-6 + 1.5e-3,
              1e-12);
  EXPECT_NEAR(CollectiveSeconds(*network, CollectiveKind::kAllToAll, 0, 4), 90e-6, 1e-12);
}

TEST(NetworkModelTest, FilesThatAreSomethingElseAreRefused) {
  const auto message = [](const std::string& text) {
    return std::string(NetworkFromJsonLines(text, "file.jsonl").status().message());
  };
  EXPECT_THAT(message("hello"), HasSubstr("file.jsonl: is not what"));
  EXPECT_THAT(message("[1, 2]"), HasSubstr("no JSON object"));
  EXPECT_THAT(message(FitLine("all_reduce", 2, 1)), HasSubstr("no fit of all_gather"));
  EXPECT_THAT(message(FitLine("all_reduce", 1, 1)), HasSubstr("ranks must be at least 2"));
  EXPECT_THAT(message("{\"kind\": \"all_reduce\", \"alpha_us\": \"x\"}"), HasSubstr("no number"));
  EXPECT_THAT(message("{\"alpha_us\": 1}"), HasSubstr("no fit of all_reduce"));
}

TEST(NetworkModelTest, KnownNetworksAreFoundByName) {
  for (const Network& network : KnownNetworks()) {
    EXPECT_TRUE(FindNetwork(network.name).ok());
    EXPECT_GT(network.node_bytes_per_s, 0);
    EXPECT_GT(network.local_bytes_per_s, 0);
  }
  EXPECT_THAT(std::string(FindNetwork("carrier_pigeon").status().message()),
              HasSubstr("nvlink_ndr"));
}

}  // namespace
}  // namespace langevin::distributed
