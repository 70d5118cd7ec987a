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

RankFacts GoodRank(const std::string& host) {
  RankFacts facts;
  facts.host = host;
  facts.program = "abc";
  facts.cores = 8;
  facts.threads = 4;
  facts.local_ranks = 2;
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
  for (const Finding& finding : Judge(environment, ranks, network, true, true)) {
    if (finding.verdict == Verdict::kWrong) text += finding.check + ": " + finding.advice;
  }
  return text;
}

TEST(PreflightTest, AGoodPlaceHasNothingWrong) {
  const auto findings = Judge(Mpirun(), GoodRanks(), GoodNetwork(), true, true);
  EXPECT_TRUE(StatusOf(findings).ok());
  for (const Finding& finding : findings) {
    EXPECT_EQ(finding.verdict, Verdict::kFine) << finding.check << ": " << finding.advice;
  }
}

TEST(PreflightTest, LauncherTroubleIsToldFromOtherTrouble) {
  LaunchEnvironment alone;
  alone.slurm_tasks = alone.slurm_step_tasks = 4;
  auto findings = Judge(alone, {GoodRank("n1")}, {}, false, false);
  EXPECT_EQ(StatusOf(findings).code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(FormatFindings(findings), HasSubstr("each process is alone"));

  LaunchEnvironment inside = Mpirun();
  inside.in_slurm_step = true;
  EXPECT_THAT(Wrong(inside, GoodRanks()), HasSubstr("without srun"));

  std::vector<RankFacts> ranks = GoodRanks();
  ranks[3].memory_bytes = kGibibyte;
  findings = Judge(Mpirun(), ranks, GoodNetwork(), true, true);
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
  EXPECT_THAT(with([](RankFacts& r) { r.output_free_bytes = 1; }), HasSubstr("less than 2 GiB on"));
}

TEST(PreflightTest, SlowNetworksAndCrowdedGpusAreNotedOnly) {
  std::vector<RankFacts> ranks = GoodRanks();
  ranks[0].gpus = 1;
  ranks[2].clock_offset_s = -30;
  NetworkFacts network = GoodNetwork();
  network.links[3].bytes_per_s = 1e6;
  EXPECT_EQ(Wrong(Mpirun(), ranks, network), "");
  const std::string table = FormatFindings(Judge(Mpirun(), ranks, network, true, true));
  EXPECT_THAT(table, HasSubstr("n1 has 1 GPUs for 2 ranks"));
  EXPECT_THAT(table, HasSubstr("n2 is 30.0 s behind rank 0"));
  EXPECT_THAT(table, HasSubstr("slower than gigabit"));
}

TEST(PreflightTest, FactsTravelAsText) {
  RankFacts facts = GoodRank("näher \"n1\"\n");
  facts.clock_offset_s = -0.25;
  facts.data_error = "d1 is not there";
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

  PosixFileSystem().WriteFileDurably(folder + "/manifest.textproto", "name: 'y'").IgnoreError();
  EXPECT_NE(LookAround(PosixFileSystem(), folder, "").data, good.data);
  EXPECT_THAT(LookAround(PosixFileSystem(), folder + "/none", "").data_error, HasSubstr("none"));
  std::filesystem::remove_all(folder);
}

TEST(PreflightTest, TheSubcommandRunsInAWorldOfOne) {
  CLI::App program;
  std::function<absl::Status()> action;
  RegisterPreflight(program, action);
  program.parse("preflight --output /tmp", /*program_name_included=*/false);
  ASSERT_TRUE(action);
  const absl::Status status = action();
  // The machine of the test may be short of something; its launcher is fine.
  EXPECT_NE(status.code(), absl::StatusCode::kUnavailable) << status;
}

}  // namespace
}  // namespace langevin::launch
