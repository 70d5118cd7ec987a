#include "launch/preflight_findings.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "launch/preflight_interfaces.h"

namespace langevin::launch {
namespace {

constexpr uint64_t kGibibyte = uint64_t{1} << 30;
constexpr uint64_t kSmallestMemory = 2 * kGibibyte;
constexpr uint64_t kSmallestDisk = 2 * kGibibyte;
// Open MPI moves messages between ranks of a node through files there, a few MiB a pair.
constexpr uint64_t kSharedMemoryPerRank = uint64_t{16} << 20;
// What drivers of RDMA pin for messages; their makers ask for no limit at all.
constexpr uint64_t kSmallestMemlock = kGibibyte;
constexpr int kBytesPerWeightSaved = 16;                 // fp32: weights, average, two moments.
constexpr uint64_t kMeasuredBytes = uint64_t{25} << 20;  // By NetworkFacts::all_reduce_s.
constexpr double kLargestSkew = 1;        // Seconds; time stamps of files and logs get mixed up.
constexpr double kSlowestLink = 1e9 / 8;  // 1 Gbit/s, in bytes/s.

std::string Gibibytes(uint64_t bytes) {
  return absl::StrFormat("%.1f GiB", static_cast<double>(bytes) / static_cast<double>(kGibibyte));
}

// The smallest over the ranks of what `field` takes, and on which host it is.
template <typename Field>
std::pair<uint64_t, std::string> Smallest(const std::vector<RankFacts>& ranks, Field&& field) {
  const auto smallest =
      std::min_element(ranks.begin(), ranks.end(),
                       [&](const RankFacts& a, const RankFacts& b) { return field(a) < field(b); });
  return {field(*smallest), smallest->host};
}

Finding JudgeLauncher(const LaunchEnvironment& environment, int ranks) {
  Finding finding{"launcher", environment.Describe()};
  finding.is_about_launcher = true;
  if (const absl::Status world = CheckWorld(environment, ranks, Purpose::kTraining); !world.ok()) {
    finding.found = absl::StrCat(finding.found, ": each process is alone");
    finding.verdict = Verdict::kWrong;
    finding.advice = std::string(world.message());
  } else if (environment.mpirun_inside_step()) {
    finding.found = "mpirun inside a Slurm job step";
    finding.verdict = Verdict::kWrong;
    finding.advice =
        "with Open MPI 4.1 this hangs on several nodes: call mpirun in the sbatch script itself, "
        "without srun, or use `srun --mpi=pmix langevin ...`";
  }
  return finding;
}

Finding JudgeCores(const std::vector<RankFacts>& ranks) {
  std::map<std::string, int> ranks_on;
  for (const RankFacts& rank : ranks) ranks_on[rank.host] = rank.local_ranks;
  std::vector<std::string> nodes;
  for (const auto& [host, count] : ranks_on) nodes.push_back(absl::StrCat(host, ": ", count));
  if (nodes.size() > 4) nodes = {absl::StrCat(nodes.size(), " nodes")};
  Finding finding{"ranks", absl::StrCat(ranks.size(), " (", absl::StrJoin(nodes, ", "), ")")};
  return finding;
}

// Rank k of a node takes the k-th GPU it sees.
Finding JudgeGpus(const std::vector<RankFacts>& ranks) {
  const auto [fewest, _] = Smallest(ranks, [](const RankFacts& r) -> uint64_t { return r.gpus; });
  Finding finding{"gpus", absl::StrCat("one for each rank, ", fewest, " on a node")};
  const auto wrong = [&](const std::string& found, const std::string& advice) {
    finding.found = found;
    finding.verdict = Verdict::kWrong;
    finding.advice = advice;
    return finding;
  };
  std::map<std::pair<std::string, std::string>, int> user_of;
  for (int index = 0; index < static_cast<int>(ranks.size()); ++index) {
    const RankFacts& rank = ranks[index];
    if (rank.gpus > 0 && !rank.with_cuda) {
      return wrong(absl::StrCat(rank.host, " has ", rank.gpus, ", this langevin uses none"),
                   "build langevin where the CUDA toolkit is");
    }
    if (rank.local_ranks > rank.gpus) {
      return wrong(
          absl::StrCat(rank.host, " has ", rank.gpus, " GPUs for ", rank.local_ranks, " ranks"),
          absl::StrCat("all ranks would train on the CPU: start one rank for each GPU "
                       "(--ntasks-per-node=",
                       rank.gpus, ", mpirun --map-by ppr:", rank.gpus, ":node)"));
    }
    if (rank.local_rank >= static_cast<int>(rank.visible_gpus.size())) {
      return wrong(absl::StrFormat("rank %d sees %d of %d on %s", index, rank.visible_gpus.size(),
                                   rank.gpus, rank.host),
                   "each rank must see all GPUs of its node and takes the one of its own number: "
                   "--gpus-per-node instead of --gpus-per-task, srun --gpu-bind=none, no "
                   "CUDA_VISIBLE_DEVICES");
    }
    const auto [user, is_first] =
        user_of.insert({{rank.host, rank.visible_gpus[rank.local_rank]}, index});
    if (!is_first) {
      return wrong(absl::StrCat("ranks ", user->second, " and ", index, " would share GPU ",
                                rank.visible_gpus[rank.local_rank], " of ", rank.host),
                   "NCCL refuses that: give all ranks of a node the same CUDA_VISIBLE_DEVICES, or "
                   "none");
    }
  }
  return finding;
}

Finding JudgeMemlock(const std::vector<RankFacts>& ranks) {
  const auto [bytes, host] = Smallest(ranks, [](const RankFacts& r) { return r.memlock_bytes; });
  Finding finding{"memlock", bytes == UINT64_MAX ? "no limit" : absl::StrCat(bytes >> 10, " KiB")};
  for (const RankFacts& rank : ranks) {
    if (rank.rdma_devices > 0 && rank.memlock_bytes < kSmallestMemlock) {
      finding.found = absl::StrCat(rank.memlock_bytes >> 10, " KiB on ", rank.host);
      finding.verdict = Verdict::kWrong;
      finding.advice =
          "InfiniBand needs memory that stays in place: ulimit -l unlimited, for Slurm's jobs "
          "LimitMEMLOCK=infinity in slurmd.service";
      return finding;
    }
  }
  if (bytes < kSmallestMemlock) absl::StrAppend(&finding.found, ", enough without InfiniBand");
  return finding;
}

Finding JudgeInterfaces(const std::vector<RankFacts>& ranks, const InterfaceChoice& choice) {
  std::map<std::string, std::vector<std::string>> hosts;
  for (const RankFacts& rank : ranks) hosts[rank.host] = rank.interfaces;
  std::vector<std::vector<std::string>> all;
  for (const auto& [_, interfaces] : hosts) all.push_back(interfaces);
  const std::string network = CommonNetwork(all);
  Finding finding{"interfaces", network.empty() ? "no network in common, routed"
                                                : absl::StrCat(network, " joins the hosts")};
  for (const auto& [host, interfaces] : hosts) {
    const std::vector<std::string> dead_ends = DeadEnds(interfaces, choice);
    if (dead_ends.empty()) continue;
    finding.found = absl::StrCat(absl::StrJoin(dead_ends, ", "), " of ", host, " may be used");
    finding.verdict = Verdict::kWrong;
    finding.advice = DeadEndAdvice(network);
    finding.is_about_launcher = true;
    break;
  }
  return finding;
}

Finding JudgeThreads(const std::vector<RankFacts>& ranks) {
  const auto [cores, host] =
      Smallest(ranks, [](const RankFacts& r) -> uint64_t { return r.cores; });
  const auto [threads, _] =
      Smallest(ranks, [](const RankFacts& r) -> uint64_t { return r.threads; });
  Finding finding{"threads a rank", absl::StrCat(threads, " on ", cores, " cores")};
  for (const RankFacts& rank : ranks) {
    if (rank.threads > rank.cores) {
      finding.verdict = Verdict::kWrong;
      finding.advice = absl::StrFormat(
          "%s: %d threads share %d cores; unset OMP_NUM_THREADS or give each rank more cores "
          "(mpirun --map-by slot:PE=%d, srun --cpus-per-task=%d)",
          rank.host, rank.threads, rank.cores, rank.threads, rank.threads);
      return finding;
    }
    if (rank.local_ranks > rank.cores && rank.cores > 1) {
      finding.verdict = Verdict::kWrong;
      finding.advice = absl::StrFormat("%s: %d ranks share %d cores; start fewer ranks", rank.host,
                                       rank.local_ranks, rank.cores);
      return finding;
    }
  }
  return finding;
}

Finding JudgeMemory(const std::vector<RankFacts>& ranks) {
  const auto [bytes, host] = Smallest(ranks, [](const RankFacts& r) { return r.memory_bytes; });
  Finding finding{"memory", absl::StrCat(Gibibytes(bytes), " available on ", host)};
  if (bytes < kSmallestMemory) {
    finding.verdict = Verdict::kWrong;
    finding.advice = "less than 2 GiB: ask the batch system for more (--mem)";
  }
  return finding;
}

Finding JudgeSharedMemory(const std::vector<RankFacts>& ranks) {
  const auto [bytes, host] =
      Smallest(ranks, [](const RankFacts& r) { return r.shared_memory_bytes; });
  Finding finding{"/dev/shm", absl::StrCat(Gibibytes(bytes), " free on ", host)};
  for (const RankFacts& rank : ranks) {
    if (rank.local_ranks > 1 &&
        rank.shared_memory_bytes < kSharedMemoryPerRank * rank.local_ranks) {
      finding.verdict = Verdict::kWrong;
      finding.advice = absl::StrFormat(
          "%s: the ranks of a node exchange messages there; give it at least %d MiB (containers: "
          "--shm-size)",
          rank.host, kSharedMemoryPerRank * rank.local_ranks >> 20);
    }
  }
  return finding;
}

Finding JudgeProgram(const std::vector<RankFacts>& ranks) {
  Finding finding{"program", "the same file on all ranks"};
  for (const RankFacts& rank : ranks) {
    if (rank.program != ranks[0].program) {
      finding.found = absl::StrCat("another on ", rank.host, " than on ", ranks[0].host);
      finding.verdict = Verdict::kWrong;
      finding.advice = "install one build on a shared file system, or the same one on all nodes";
      finding.is_about_launcher = true;
    }
  }
  return finding;
}

Finding JudgeClocks(const std::vector<RankFacts>& ranks) {
  double largest = 0;
  std::string host;
  for (const RankFacts& rank : ranks) {
    if (std::abs(rank.clock_offset_s) >= std::abs(largest)) {
      largest = rank.clock_offset_s;
      host = rank.host;
    }
  }
  Finding finding{"clocks", absl::StrFormat("at most %.3g ms apart", 1e3 * std::abs(largest))};
  if (std::abs(largest) > kLargestSkew) {
    finding.found = absl::StrFormat("%s is %.1f s %s rank 0", host, std::abs(largest),
                                    largest > 0 ? "ahead of" : "behind");
    finding.verdict = Verdict::kNote;
    finding.advice = "training does not mind, but logs will: start chrony or ntp on that node";
  }
  return finding;
}

Finding JudgeNetwork(const NetworkFacts& network) {
  double slowest = 0, narrowest = 0;
  for (size_t rank = 1; rank < network.links.size(); ++rank) {
    slowest = std::max(slowest, network.links[rank].latency_s);
    const double speed = network.links[rank].bytes_per_s;
    narrowest = rank == 1 ? speed : std::min(narrowest, speed);
  }
  Finding finding{"network",
                  absl::StrFormat("%.1f us, %.2f GB/s at worst; 25 MiB of gradients "
                                  "summed in %.1f ms",
                                  1e6 * slowest, 1e-9 * narrowest, 1e3 * network.all_reduce_s)};
  if (narrowest < kSlowestLink) {
    finding.verdict = Verdict::kNote;
    finding.advice =
        "slower than gigabit Ethernet: is it the right interface (mpirun --mca "
        "btl_tcp_if_include)? "
        "More ranks will hardly train faster";
  }
  return finding;
}

// Straight line through what was measured; small models also wait for latency, which is left out.
Finding JudgeExpectation(const NetworkFacts& network, uint64_t weights) {
  const double seconds = network.all_reduce_s * 4.0 * static_cast<double>(weights) /
                         static_cast<double>(kMeasuredBytes);
  return {"expect",
          absl::StrFormat("%.1f ms a step to sum %.1f M gradients: small beside steps of "
                          "%.0f ms and more",
                          1e3 * seconds, 1e-6 * static_cast<double>(weights), 1e4 * seconds)};
}

Finding JudgeConfig(const std::vector<RankFacts>& ranks) {
  Finding finding{"config", "the same on all ranks"};
  for (const RankFacts& rank : ranks) {
    if (!rank.config_error.empty()) {
      finding.found = absl::StrCat("cannot be used on ", rank.host);
      finding.advice = rank.config_error;
    } else if (rank.config != ranks[0].config) {
      finding.found = absl::StrCat("another on ", rank.host, " than on ", ranks[0].host);
      finding.advice = "put the config on a file system that all nodes share";
    } else {
      continue;
    }
    finding.verdict = Verdict::kWrong;
    break;
  }
  return finding;
}

Finding JudgeData(const std::vector<RankFacts>& ranks) {
  Finding finding{"data", "the same manifest on all ranks"};
  for (const RankFacts& rank : ranks) {
    if (!rank.data_error.empty()) {
      finding.found = absl::StrCat("not there on ", rank.host);
      finding.advice = absl::StrCat(rank.data_error, "; on ", rank.host,
                                    ", copy the data set there, or use a shared file system");
    } else if (rank.data != ranks[0].data) {
      finding.found = absl::StrCat("another manifest on ", rank.host, " than on ", ranks[0].host);
      finding.advice = "copy one data set to all nodes, or use a shared file system";
    } else {
      continue;
    }
    finding.verdict = Verdict::kWrong;
    break;
  }
  return finding;
}

Finding JudgeOutput(const std::vector<RankFacts>& ranks) {
  const auto [bytes, host] =
      Smallest(ranks, [](const RankFacts& r) { return r.output_free_bytes; });
  Finding finding{"output", absl::StrCat(Gibibytes(bytes), " free")};
  for (const RankFacts& rank : ranks) {
    if (rank.output_error.empty()) continue;
    finding.found = absl::StrCat("cannot be used on ", rank.host);
    finding.verdict = Verdict::kWrong;
    finding.advice = absl::StrCat(rank.output_error, "; choose another --output");
    return finding;
  }
  const uint64_t checkpoint = ranks[0].weights * kBytesPerWeightSaved;
  const uint64_t needed = checkpoint > 0 ? 2 * checkpoint : kSmallestDisk;
  if (bytes < needed) {
    finding.verdict = Verdict::kWrong;
    finding.advice = absl::StrCat(
        "less than ", Gibibytes(needed), " on ", host, ": two checkpoints ",
        checkpoint > 0 ? absl::StrCat("of ", Gibibytes(checkpoint), " do") : std::string("may"),
        " not fit; choose another --output");
    return finding;
  }
  for (const RankFacts& rank : ranks) {
    if (rank.output_is_shared) continue;
    finding.found = absl::StrCat("another folder on ", rank.host, " than on ", ranks[0].host);
    finding.verdict = Verdict::kWrong;
    finding.advice = "all ranks write into one folder: choose an --output on a shared file system";
    return finding;
  }
  return finding;
}

}  // namespace

std::vector<Finding> Judge(const LaunchEnvironment& environment,
                           const std::vector<RankFacts>& ranks, const NetworkFacts& network,
                           const Asked& asked, const InterfaceChoice& interfaces) {
  std::vector<Finding> findings = {
      JudgeLauncher(environment, static_cast<int>(ranks.size())),
      JudgeCores(ranks),
      JudgeThreads(ranks),
      JudgeMemory(ranks),
      JudgeSharedMemory(ranks),
      JudgeMemlock(ranks),
      JudgeProgram(ranks),
  };
  std::set<std::string> hosts;
  bool has_gpus = false;
  for (const RankFacts& rank : ranks) {
    hosts.insert(rank.host);
    has_gpus |= rank.gpus > 0;
  }
  if (has_gpus) findings.push_back(JudgeGpus(ranks));
  if (ranks.size() > 1) findings.push_back(JudgeClocks(ranks));
  if (hosts.size() > 1) findings.push_back(JudgeInterfaces(ranks, interfaces));
  if (network.links.size() > 1) {
    findings.push_back(JudgeNetwork(network));
    if (ranks[0].weights > 0) findings.push_back(JudgeExpectation(network, ranks[0].weights));
  }
  if (asked.config) findings.push_back(JudgeConfig(ranks));
  if (asked.data) findings.push_back(JudgeData(ranks));
  if (asked.output) findings.push_back(JudgeOutput(ranks));
  return findings;
}

std::string FormatFindings(const std::vector<Finding>& findings) {
  size_t check_width = 5, found_width = 5;
  for (const Finding& finding : findings) {
    check_width = std::max(check_width, finding.check.size());
    found_width = std::max(found_width, finding.found.size());
  }
  std::string text;
  const auto add = [&](const std::string& check, const std::string& found, const char* verdict) {
    absl::StrAppendFormat(&text, "%-*s  %-*s  %s\n", check_width, check, found_width, found,
                          verdict);
  };
  add("check", "found", "verdict");
  for (const Finding& finding : findings) {
    add(finding.check, finding.found,
        finding.verdict == Verdict::kFine   ? "ok"
        : finding.verdict == Verdict::kNote ? "note"
                                            : "WRONG");
  }
  for (const Finding& finding : findings) {
    if (!finding.advice.empty()) absl::StrAppend(&text, finding.check, ": ", finding.advice, "\n");
  }
  return text;
}

absl::Status StatusOf(const std::vector<Finding>& findings) {
  std::vector<std::string> wrong;
  bool launcher = false;
  for (const Finding& finding : findings) {
    if (finding.verdict != Verdict::kWrong) continue;
    wrong.push_back(finding.check);
    launcher |= finding.is_about_launcher;
  }
  if (wrong.empty()) return absl::OkStatus();
  const std::string message = absl::StrCat(
      "preflight found something wrong with: ", absl::StrJoin(wrong, ", "), "; see the table");
  return launcher ? absl::UnavailableError(message) : absl::FailedPreconditionError(message);
}

}  // namespace langevin::launch
