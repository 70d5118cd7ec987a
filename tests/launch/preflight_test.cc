#include "launch/preflight.h"

#include <unistd.h>

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "launch/preflight_findings.h"

namespace langevin::launch {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kGibibyte = uint64_t{1} << 30;
constexpr Asked kAll = {.config = true, .data = true, .output = true};

RankFacts GoodRank(const std::string& host) {
  RankFacts facts;
  facts.host = host;
  facts.program = "abc";
  facts.cores = 8;
  facts.threads = 4;
  facts.local_ranks = 2;
  facts.memlock_bytes = 8 << 20;
  facts.interfaces = {"eth0 10.1.0." + host.substr(1) + "/24"};
  facts.memory_bytes = 64 * kGibibyte;
  facts.shared_memory_bytes = kGibibyte;
  facts.data = "d1";
  facts.output_free_bytes = 100 * kGibibyte;
  return facts;
}

std::vector<RankFacts> GoodRanks() {
  return {GoodRank("n1"), GoodRank("n1"), GoodRank("n2"), GoodRank("n2")};
}

NetworkFacts GoodNetwork() { return {{{}, {1e-6, 1e10, 0}, {2e-5, 1e9, 0}, {2e-5, 1e9, 0}}, 0.01}; }

LaunchEnvironment Mpirun() {
  LaunchEnvironment environment;
  environment.started_by_mpirun = true;
  return environment;
}

// What is found wrong, as "check: advice"; "" if nothing is.
std::string Wrong(const LaunchEnvironment& environment, const std::vector<RankFacts>& ranks,
                  const NetworkFacts& network = GoodNetwork()) {
  std::string text;
  for (const Finding& finding : Judge(environment, ranks, network, kAll)) {
    if (finding.verdict == Verdict::kWrong) text += finding.check + ": " + finding.advice;
  }
  return text;
}

TEST(PreflightTest, AGoodPlaceHasNothingWrong) {
  const auto findings = Judge(Mpirun(), GoodRanks(), GoodNetwork(), kAll);
  EXPECT_TRUE(StatusOf(findings).ok());
  for (const Finding& finding : findings) {
    EXPECT_EQ(finding.verdict, Verdict::kFine) << finding.check << ": " << finding.advice;
  }
}

TEST(PreflightTest, LauncherTroubleIsToldFromOtherTrouble) {
  LaunchEnvironment alone;
  alone.slurm_tasks = alone.slurm_step_tasks = 4;
  auto findings = Judge(alone, {GoodRank("n1")}, {}, {});
  EXPECT_EQ(StatusOf(findings).code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(FormatFindings(findings), HasSubstr("each process is alone"));

  LaunchEnvironment inside = Mpirun();
  inside.in_slurm_step = true;
  EXPECT_THAT(Wrong(inside, GoodRanks()), HasSubstr("without srun"));

  std::vector<RankFacts> ranks = GoodRanks();
  ranks[3].memory_bytes = kGibibyte;
  findings = Judge(Mpirun(), ranks, GoodNetwork(), kAll);
  EXPECT_EQ(StatusOf(findings).code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(StatusOf(findings).message()), HasSubstr("memory"));
}

TEST(PreflightTest, EachTroubleIsFoundOnTheRankThatHasIt) {
  const auto with = [](auto&& change) {
    std::vector<RankFacts> ranks = GoodRanks();
    change(ranks[3]);
    return Wrong(Mpirun(), ranks);
  };
  EXPECT_THAT(with([](RankFacts& r) { r.threads = 16; }), HasSubstr("n2: 16 threads share 8"));
  EXPECT_THAT(with([](RankFacts& r) { r.local_ranks = 9; }), HasSubstr("n2: 9 ranks share 8"));
  EXPECT_THAT(with([](RankFacts& r) { r.shared_memory_bytes = 0; }), HasSubstr("--shm-size"));
  EXPECT_THAT(with([](RankFacts& r) { r.program = "x"; }), HasSubstr("program: install"));
  EXPECT_THAT(with([](RankFacts& r) { r.data = "d2"; }), HasSubstr("data: copy one data set"));
  EXPECT_THAT(with([](RankFacts& r) { r.data_error = "no file"; }), HasSubstr("data: no file"));
  EXPECT_THAT(with([](RankFacts& r) { r.output_error = "read-only"; }), HasSubstr("read-only"));
  EXPECT_THAT(with([](RankFacts& r) { r.output_free_bytes = 1; }),
              HasSubstr("less than 2.0 GiB on"));
}

TEST(PreflightTest, ConfigsAndTheOutputFolderMustBeTheSameEverywhere) {
  std::vector<RankFacts> ranks = GoodRanks();
  ranks[2].config = "c2";
  EXPECT_THAT(Wrong(Mpirun(), ranks), HasSubstr("config: put the config on a file system"));
  ranks[2].config_error = "tiny.textproto:3: no such field";
  EXPECT_EQ(Wrong(Mpirun(), ranks), "config: tiny.textproto:3: no such field");

  ranks = GoodRanks();
  ranks[3].output_is_shared = false;
  EXPECT_THAT(Wrong(Mpirun(), ranks), HasSubstr("all ranks write into one folder"));
}

TEST(PreflightTest, TheDiskMustHoldTwoCheckpointsOfTheModel) {
  std::vector<RankFacts> ranks = GoodRanks();
  for (RankFacts& rank : ranks) rank.weights = 400'000'000;  // 16 bytes each: 6.4 GB, 6.0 GiB.
  ranks[1].output_free_bytes = 12 * kGibibyte;
  EXPECT_EQ(Wrong(Mpirun(), ranks), "");
  ranks[1].output_free_bytes = 11 * kGibibyte;
  EXPECT_THAT(Wrong(Mpirun(), ranks), HasSubstr("less than 11.9 GiB on n1: two checkpoints of 6"));
  // Known small ones need not have the 2 GiB that are asked for otherwise.
  for (RankFacts& rank : ranks) rank.weights = 1000;
  ranks[1].output_free_bytes = kGibibyte;
  EXPECT_EQ(Wrong(Mpirun(), ranks), "");
}

TEST(PreflightTest, SaysWhatTheNetworkMakesOfTheModel) {
  std::vector<RankFacts> ranks = GoodRanks();
  ranks[0].weights = 65'536'000;  // 250 MiB of gradients: ten times what took 10 ms.
  EXPECT_THAT(FormatFindings(Judge(Mpirun(), ranks, GoodNetwork(), kAll)),
              HasSubstr("100.0 ms a step to sum 65.5 M gradients: small beside steps of 1000 ms"));
}

std::vector<RankFacts> RanksWithGpus(int gpus) {
  std::vector<RankFacts> ranks = GoodRanks();
  for (size_t rank = 0; rank < ranks.size(); ++rank) {
    ranks[rank].local_rank = static_cast<int>(rank % 2);
    ranks[rank].gpus = gpus;
    ranks[rank].with_cuda = true;
    for (int gpu = 0; gpu < gpus; ++gpu) ranks[rank].visible_gpus.push_back(std::to_string(gpu));
  }
  return ranks;
}

TEST(PreflightTest, EachRankNeedsAGpuOfItsOwn) {
  EXPECT_EQ(Wrong(Mpirun(), RanksWithGpus(2)), "");
  EXPECT_EQ(Wrong(Mpirun(), RanksWithGpus(4)), "");
  EXPECT_THAT(Wrong(Mpirun(), RanksWithGpus(1)), HasSubstr("--ntasks-per-node=1"));

  // As Slurm's --gpus-per-task has it: each rank sees one GPU, and the second rank looks for a
  // second one.
  std::vector<RankFacts> ranks = RanksWithGpus(2);
  ranks[3].visible_gpus = {"1"};
  EXPECT_THAT(Wrong(Mpirun(), ranks), HasSubstr("--gpus-per-node instead of --gpus-per-task"));

  ranks = RanksWithGpus(2);
  ranks[3].visible_gpus = {"1", "0"};
  const std::string table = FormatFindings(Judge(Mpirun(), ranks, GoodNetwork(), kAll));
  EXPECT_THAT(table, HasSubstr("ranks 2 and 3 would share GPU 0 of n2"));

  ranks = RanksWithGpus(2);
  ranks[0].with_cuda = false;
  EXPECT_THAT(Wrong(Mpirun(), ranks), HasSubstr("where the CUDA toolkit is"));
}

TEST(PreflightTest, LockedMemoryMattersToInfiniBandOnly) {
  std::vector<RankFacts> ranks = GoodRanks();
  ranks[2].rdma_devices = 1;
  EXPECT_THAT(Wrong(Mpirun(), ranks), HasSubstr("memlock: InfiniBand needs"));
  ranks[2].memlock_bytes = UINT64_MAX;
  EXPECT_EQ(Wrong(Mpirun(), ranks), "");
}

TEST(PreflightTest, BridgesThatEndOnTheirHostAreFoundUnlessOpenMpiKeepsOffThem) {
  std::vector<RankFacts> ranks = GoodRanks();
  for (RankFacts& rank : ranks) rank.interfaces.push_back("docker0 172.17.0.1/16");
  const auto with = [&](const std::string& include, const std::string& exclude) {
    std::string text;
    for (const Finding& finding : Judge(Mpirun(), ranks, GoodNetwork(), kAll, {include, exclude})) {
      if (finding.verdict == Verdict::kWrong) text += finding.found + ": " + finding.advice;
    }
    return text;
  };
  EXPECT_THAT(with("", ""), HasSubstr("docker0 of n1 may be used"));
  EXPECT_THAT(with("", ""), HasSubstr("--mca btl_tcp_if_include 10.1.0.0/24"));
  EXPECT_THAT(with("", "lo,eth0"), HasSubstr("docker0"));
  EXPECT_THAT(with("172.16.0.0/12", ""), HasSubstr("docker0"));
  EXPECT_EQ(with("eth0", ""), "");
  EXPECT_EQ(with("10.1.0.0/16", ""), "");
  EXPECT_EQ(with("", "127.0.0.1/8,docker0"), "");
  EXPECT_EQ(with("", "172.17.0.0/16"), "");
  // On one host nothing is sent through an interface.
  ranks.resize(2);
  EXPECT_EQ(with("", ""), "");
}

TEST(PreflightTest, TheNetworkThatJoinsTheHostsIsOneWithDifferentAddresses) {
  EXPECT_EQ(CommonNetwork({{"docker0 172.17.0.1/16", "ib0 10.2.3.4/20"},
                           {"ib0 10.2.1.9/20", "docker0 172.17.0.1/16"}}),
            "10.2.0.0/20");
  EXPECT_EQ(CommonNetwork({{"vpn 10.9.0.1/24"}, {"vpn 10.9.0.1/24"}}), "");
  EXPECT_EQ(CommonNetwork({{"eth0 10.1.0.1/24"}, {"eth0 10.2.0.1/24"}}), "");
}

TEST(PreflightTest, SlowNetworksAreNotedOnly) {
  std::vector<RankFacts> ranks = GoodRanks();
  ranks[2].clock_offset_s = -30;
  NetworkFacts network = GoodNetwork();
  network.links[3].bytes_per_s = 1e6;
  EXPECT_EQ(Wrong(Mpirun(), ranks, network), "");
  const std::string table = FormatFindings(Judge(Mpirun(), ranks, network, kAll));
  EXPECT_THAT(table, HasSubstr("n2 is 30.0 s behind rank 0"));
  EXPECT_THAT(table, HasSubstr("slower than gigabit"));
}

TEST(PreflightTest, FactsTravelAsText) {
  RankFacts facts = GoodRank("näher \"n1\"\n");
  facts.clock_offset_s = -0.25;
  facts.data_error = "d1 is not there";
  facts.visible_gpus = {"GPU-1", "1"};
  facts.memlock_bytes = UINT64_MAX;
  facts.output_is_shared = false;
  const auto read = RankFactsFromText(ToText(facts));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(ToText(*read), ToText(facts));
  EXPECT_EQ(read->host, facts.host);
  EXPECT_EQ(read->clock_offset_s, -0.25);
  for (const char* bad : {"", "{}", "[1,2]", "[\"a\"]"}) {
    EXPECT_EQ(RankFactsFromText(bad).status().code(), absl::StatusCode::kDataLoss) << bad;
  }
}

TEST(PreflightTest, LooksAtDataAndOutputWithoutCreatingAnything) {
  const std::string folder = testing::TempDir() + "/preflight_test_" + std::to_string(getpid());
  std::filesystem::create_directory(folder);
  PosixFileSystem().WriteFileDurably(folder + "/manifest.textproto", "name: 'x'").IgnoreError();
  const RankFacts good = LookAround(PosixFileSystem(), folder, folder + "/runs/1");
  EXPECT_EQ(good.data_error, "");
  EXPECT_EQ(good.data.size(), 32u);
  EXPECT_EQ(good.output_error, "");
  EXPECT_GT(good.output_free_bytes, 0u);
  EXPECT_FALSE(std::filesystem::exists(folder + "/runs"));
  EXPECT_GT(good.memory_bytes, 0u);
  EXPECT_GE(good.cores, 1);
  EXPECT_GT(good.memlock_bytes, 0u);

  PosixFileSystem().WriteFileDurably(folder + "/manifest.textproto", "name: 'y'").IgnoreError();
  EXPECT_NE(LookAround(PosixFileSystem(), folder, "").data, good.data);
  EXPECT_THAT(LookAround(PosixFileSystem(), folder + "/none", "").data_error, HasSubstr("none"));
  std::filesystem::remove_all(folder);
}

TEST(PreflightTest, TheSubcommandRunsInAWorldOfOne) {
  CLI::App program;
  std::function<absl::Status()> action;
  RegisterPreflight(program, action, {});
  program.parse("preflight --output /tmp", /*program_name_included=*/false);
  ASSERT_TRUE(action);
  const absl::Status status = action();
  // The machine of the test may be short of something; its launcher is fine.
  EXPECT_NE(status.code(), absl::StatusCode::kUnavailable) << status;
}

}  // namespace
}  // namespace langevin::launch
