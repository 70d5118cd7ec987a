#include "launch/preflight.h"

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "core/base/file_system.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "distributed/agreement.h"
#include "launch/mpi_runtime.h"
#include "launch/preflight_facts.h"
#include "launch/preflight_findings.h"
#include "launch/preflight_network.h"

namespace langevin::launch {
namespace {

struct PreflightFlags {
  std::string data;
  std::string output;
};

// On rank 0 the findings, elsewhere nothing.
absl::StatusOr<std::vector<Finding>> Examine(MpiRuntime& runtime, const PreflightFlags& flags) {
  RankFacts own = LookAround(PosixFileSystem(), flags.data, flags.output);
  own.threads = runtime.ComputeThreads(/*configured=*/0);
  own.local_ranks = runtime.local_size();
  NetworkFacts network;
  if (runtime.size() > 1) {
    LANGEVIN_ASSIGN_OR_RETURN(network, MeasureNetwork(MPI_COMM_WORLD));
  }
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> texts,
                            runtime.control().AllGather(ToText(own)));
  if (runtime.rank() != 0) return std::vector<Finding>{};
  std::vector<RankFacts> ranks;
  for (const std::string& text : texts) {
    LANGEVIN_ASSIGN_OR_RETURN(ranks.emplace_back(), RankFactsFromText(text));
    if (!network.links.empty()) {
      ranks.back().clock_offset_s = network.links[ranks.size() - 1].clock_offset_s;
    }
  }
  return Judge(runtime.environment(), ranks, network, !flags.data.empty(), !flags.output.empty());
}

absl::Status RunPreflight(const PreflightFlags& flags) {
  MpiRuntime::Options options;
  options.purpose = Purpose::kPreflight;
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<MpiRuntime> runtime, MpiRuntime::Start(options));
  const absl::StatusOr<std::vector<Finding>> findings = Examine(*runtime, flags);
  // Of many processes that are each alone, one speaks.
  const bool speaks =
      runtime->rank() == 0 && (runtime->uses_mpi() || runtime->environment().slurm_process == 0);
  if (findings.ok() && speaks) std::fputs(FormatFindings(*findings).c_str(), stdout);
  std::fflush(stdout);
  if (!findings.ok()) {
    // Finish may end the process before main could print it.
    LogError("%s", std::string(findings.status().message()));
    runtime->Finish(findings.status());
    return distributed::MarkReported(findings.status());
  }
  LANGEVIN_RETURN_IF_ERROR(runtime->Shutdown());
  return speaks ? StatusOf(*findings) : absl::OkStatus();
}

}  // namespace

void RegisterPreflight(CLI::App& program, std::function<absl::Status()>& action) {
  const auto flags = std::make_shared<PreflightFlags>();
  CLI::App* command = program.add_subcommand(
      "preflight",
      "Checks launcher, ranks, memory, network and disks, and says what to fix. Start it just as "
      "training will be started: mpirun -n N langevin preflight, or srun --mpi=pmix langevin "
      "preflight.");
  command->add_option("--data", flags->data,
                      "Data set that every rank must see, and the same one on all");
  command->add_option("--output", flags->output,
                      "Run folder, there or not yet, whose disk must hold the checkpoints");
  command->callback([flags, &action] { action = [flags] { return RunPreflight(*flags); }; });
}

}  // namespace langevin::launch
