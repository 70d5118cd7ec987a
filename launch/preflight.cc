#include "launch/preflight.h"

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "core/base/exit_code.h"
#include "core/base/file_system.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "distributed/agreement.h"
#include "launch/mpi_runtime.h"
#include "launch/preflight_facts.h"
#include "launch/preflight_findings.h"
#include "launch/preflight_interfaces.h"
#include "launch/preflight_network.h"
#include "launch/tensor_subcommands.h"

namespace langevin::launch {
namespace {

struct PreflightFlags {
  double timeout_seconds = 60;
  std::string config;
  std::vector<std::string> overrides;
  ReadRunNeeds read_run_needs;
  std::string data;
  std::string output;
};

// Whether the launcher has put processes on other hosts too.
bool IsOneOfSeveralHosts() {
  const auto number = [](const char* name) {
    const char* text = std::getenv(name);
    int value = 0;
    return text != nullptr && absl::SimpleAtoi(text, &value) ? value : 0;
  };
  return number("OMPI_COMM_WORLD_SIZE") > number("OMPI_COMM_WORLD_LOCAL_SIZE") ||
         number("SLURM_STEP_NUM_NODES") > 1;
}

// Said before MPI starts, which may hang for this very reason.
void WarnOfDeadEnds(const RankFacts& own) {
  const std::vector<std::string> names = DeadEnds(own.interfaces, ChoiceFromEnvironment());
  if (names.empty() || !IsOneOfSeveralHosts()) return;
  LogWarning("%s: Open MPI may use %s: %s", own.host, absl::StrJoin(names, ", "),
             DeadEndAdvice(CommonNetwork({own.interfaces})));
}

void LookAtConfig(const PreflightFlags& flags, RankFacts& facts) {
  if (flags.config.empty()) return;
  const absl::StatusOr<RunNeeds> needs = flags.read_run_needs(flags.config, flags.overrides);
  if (needs.ok()) {
    facts.config = needs->digest;
    facts.weights = needs->weights;
  } else {
    facts.config_error = std::string(needs.status().message());
  }
}

// Whether this rank sees what rank 0 writes where the run folder is to be: an empty file, which is
// removed again. All ranks together.
absl::StatusOr<bool> SeesRankZeroFile(MpiRuntime& runtime, FileSystem& file_system,
                                      const std::string& output) {
  distributed::ControlChannel& control = runtime.control();
  std::string name;
  if (runtime.rank() == 0) {
    name = JoinPath(NearestFolder(file_system, output),
                    absl::StrCat(".langevin-preflight-", runtime.host_name(), "-", getpid()));
    // Where nothing can be written LookAround has said so.
    if (!file_system.WriteFile(name, "").ok()) name.clear();
  }
  LANGEVIN_ASSIGN_OR_RETURN(std::vector<std::string> names, control.AllGather(name));
  const bool sees = names[0].empty() || file_system.Exists(names[0]);
  LANGEVIN_RETURN_IF_ERROR(control.CombineFlags(0).status());  // All have looked.
  if (!name.empty()) file_system.RemoveFile(name).IgnoreError();
  return sees;
}

// On rank 0 the findings, elsewhere nothing.
absl::StatusOr<std::vector<Finding>> Examine(MpiRuntime& runtime, const PreflightFlags& flags,
                                             RankFacts own) {
  own.threads = runtime.ComputeThreads(/*configured=*/0);
  own.local_ranks = runtime.local_size();
  own.local_rank = runtime.local_rank();
  LookAtConfig(flags, own);
  if (!flags.output.empty()) {
    LANGEVIN_ASSIGN_OR_RETURN(own.output_is_shared,
                              SeesRankZeroFile(runtime, PosixFileSystem(), flags.output));
  }
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
  const Asked asked{!flags.config.empty(), !flags.data.empty(), !flags.output.empty()};
  return Judge(runtime.environment(), ranks, network, asked, ChoiceFromEnvironment());
}

absl::Status RunPreflight(const PreflightFlags& flags) {
  RankFacts own = LookAround(PosixFileSystem(), flags.data, flags.output);
  WarnOfDeadEnds(own);
  MpiRuntime::Options options;
  options.purpose = Purpose::kPreflight;
  options.start_seconds = flags.timeout_seconds;
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<MpiRuntime> runtime, MpiRuntime::Start(options));
  const absl::StatusOr<std::vector<Finding>> findings = Examine(*runtime, flags, std::move(own));
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

void RegisterPreflight(CLI::App& program, std::function<absl::Status()>& action,
                       ReadRunNeeds read_run_needs) {
  const auto flags = std::make_shared<PreflightFlags>();
  flags->read_run_needs = std::move(read_run_needs);
  CLI::App* command = program.add_subcommand(kPreflight.name, kPreflight.description);
  command->add_option("--config", flags->config,
                      "Run config, or a preset's name, that must be the same on all ranks; also "
                      "tells how large a checkpoint is and what the network makes of it");
  command
      ->add_option("--set", flags->overrides,
                   "Replace a field of the config, as in train.microbatch=16")
      ->type_name("FIELD=VALUE")
      ->take_all();
  command->add_option("--data", flags->data,
                      "Data set that every rank must see, and the same one on all");
  command->add_option("--output", flags->output,
                      "Run folder, there or not yet, whose disk must hold the checkpoints");
  command
      ->add_option("--timeout_seconds", flags->timeout_seconds,
                   "How long ranks may take to find each other")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  command->callback([flags, &action] { action = [flags] { return RunPreflight(*flags); }; });
}

}  // namespace langevin::launch
