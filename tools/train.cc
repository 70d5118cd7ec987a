#include "tools/train.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "ATen/Parallel.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "configs/run_config.h"
#include "core/base/log.h"
#include "core/base/memory.h"
#include "core/base/status_macros.h"
#include "core/base/tensor_view.h"
#include "core/base/version.h"
#include "core/checkpoint/checkpoint.h"
#include "core/checkpoint/ema_snapshots.h"
#include "core/export/model_folder.h"
#include "core/model/make_network.h"
#include "core/optim/schedule.h"
#include "core/train/run_folder.h"
#include "core/train/run_setup.h"
#include "core/train/trainer.h"
#include "distributed/agreement.h"
#include "distributed/control_group.h"
#include "distributed/network_model.h"
#include "launch/stop_signals.h"
#include "launch/tensor_subcommands.h"
#include "tools/compute_on_ranks.h"
#include "tools/physical_samples.h"
#include "tools/scaling_plan.h"
#include "tools/train_plan.h"

namespace langevin::tools {
namespace {

using distributed::AgreeOnStatus;
using distributed::AgreeOnText;

void LogTable(const Table& table) {
  for (const auto& [name, value] : table) LogInfo("  %-14s %s", name, value);
}

checkpoint::Metadata MetadataOf(const Plan& plan, int world_size) {
  checkpoint::Metadata metadata{.config = configs::ToText(plan.config),
                                .data_fingerprint = plan.dataset->fingerprint(),
                                .software = absl::StrCat("langevin ", kVersion),
                                .world_size = world_size};
  metadata.facts = FactsOf({.dtype = plan.dataset->dtype(),
                            .map = plan.dataset->intensity_map(),
                            .physical = plan.dataset->physical()});
  return metadata;
}

// What must be the same on all ranks for their collectives to fit together and their sums to mean
// something.
std::string IdentityOf(const Plan& plan, const model::ParameterStore& parameters) {
  std::string text = absl::StrCat("langevin ", kVersion, "\ndata ", plan.dataset->fingerprint(),
                                  "\n", configs::ToText(plan.config));
  for (const model::Parameter& parameter : parameters.parameters()) {
    absl::StrAppend(&text, "parameter ", parameter.name, " ", ShapeString(parameter.shape), "\n");
  }
  return text;
}

// The weights a run begins with: the folder's, or random ones.
absl::Status BeginWeights(FileSystem& file_system, const Plan& plan, model::Network& network) {
  // Also what a folder does not have, which is of training alone.
  network.parameters().Initialize(plan.config.seed);
  if (!plan.init.has_value()) return absl::OkStatus();
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<exporting::MatchedPart> parts,
                            exporting::LoadWeights(file_system, *plan.init, network));
  LogInfo("weights of %s, all matched:", plan.init->weights_path);
  for (const exporting::MatchedPart& part : parts) {
    LogInfo("  %-16s %4d tensors %10d numbers", part.name, part.tensors, part.numbers);
  }
  return absl::OkStatus();
}

std::optional<std::string> FindFact(const checkpoint::Metadata& metadata, const std::string& name) {
  for (const auto& [key, value] : metadata.facts) {
    if (key == name) return value;
  }
  return std::nullopt;
}

// Where a run begins or goes on.
struct Start {
  train::TrainState state;
  train::RunningMean mean;
  train::Guard guard;
  std::string origin;  // The checkpoint's folder; empty at the beginning.
};

absl::StatusOr<Start> LoadStart(FileSystem& file_system, const Plan& plan,
                                const std::optional<checkpoint::Found>& found,
                                const at::Device& device,
                                const distributed::Communicator& communicator) {
  std::unique_ptr<model::Network> network =
      model::MakeNetwork(plan.config, plan.config.train.precision, device,
                         train::TrainableMultiple(communicator.size()));
  LANGEVIN_ASSIGN_OR_RETURN(const auto sharding, train::ShardingFor(network->parameters(),
                                                                    plan.zero_stage, communicator));
  Start start;
  if (!found.has_value()) {
    LANGEVIN_RETURN_IF_ERROR(BeginWeights(file_system, plan, *network));
  }
  start.state = train::TrainState::Begin(std::move(network), sharding, plan.config.ema);
  start.state.loss_history = diffusion::LossHistoryFor(plan.config.diffusion);
  if (!found.has_value()) return start;
  start.origin = found->folder;
  LANGEVIN_RETURN_IF_ERROR(
      train::CheckCheckpointFits(*found, plan.config, plan.dataset->fingerprint()));
  LANGEVIN_RETURN_IF_ERROR(start.state.Load(file_system, *found));
  if (const auto text = FindFact(found->metadata, train::kRunningMeanFact); text.has_value()) {
    LANGEVIN_ASSIGN_OR_RETURN(start.mean, train::RunningMean::FromText(*text));
  }
  if (const auto text = FindFact(found->metadata, train::kGuardFact); text.has_value()) {
    LANGEVIN_ASSIGN_OR_RETURN(start.guard, train::Guard::FromText(*text));
  }
  return start;
}

// The newest good checkpoint, or the weights a run begins with. All ranks together.
absl::StatusOr<Start> FindStart(FileSystem& file_system, const TrainOptions& options,
                                const Plan& plan, distributed::ControlChannel& control,
                                const at::Device& device,
                                const distributed::Communicator& communicator) {
  distributed::ControlGroup group(control);
  LANGEVIN_ASSIGN_OR_RETURN(const std::optional<checkpoint::Found> found,
                            checkpoint::FindNewest(file_system, group, options.output));
  absl::StatusOr<Start> start = LoadStart(file_system, plan, found, device, communicator);
  LANGEVIN_RETURN_IF_ERROR(AgreeOnStatus(control, start.status()));
  return start;
}

absl::StatusOr<std::unique_ptr<monitor::RunMonitor>> OpenMonitor(FileSystem& file_system,
                                                                 const TrainOptions& options,
                                                                 const Plan& plan,
                                                                 const Table& table,
                                                                 const Start& start) {
  const monitor::RunFacts facts{.title = BaseName(options.output),
                                .total_images = plan.config.train.total_images,
                                .table = table,
                                .config_text = configs::ToText(plan.config)};
  const int64_t begin = start.state.images_seen;
  LANGEVIN_ASSIGN_OR_RETURN(std::unique_ptr<monitor::RunMonitor> monitor,
                            monitor::RunMonitor::Open(file_system, options.output, facts, begin));
  monitor->Event(begin,
                 start.origin.empty() ? "started" : absl::StrCat("resumed from ", start.origin));
  return monitor;
}

// Says how much memory the ranks took, so that a person can choose zero_stage and microbatch. All
// ranks together.
absl::Status TellPeakMemory(distributed::ControlChannel& control) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> texts,
                            control.AllGather(absl::StrCat(PeakMemoryBytes())));
  std::vector<int64_t> peaks(texts.size());
  for (size_t rank = 0; rank < texts.size(); ++rank) {
    if (!absl::SimpleAtoi(texts[rank], &peaks[rank])) peaks[rank] = 0;
  }
  const auto most = std::max_element(peaks.begin(), peaks.end());
  LogInfo("peak memory of a rank: %s%s", FormatBytes(*most),
          peaks.size() > 1
              ? absl::StrFormat(" (rank %d; the least: %s)", most - peaks.begin(),
                                FormatBytes(*std::min_element(peaks.begin(), peaks.end())))
              : "");
  return absl::OkStatus();
}

launch::CommunicatorKind CommunicatorKindFor(configs::Backend backend) {
  switch (backend) {
    case configs::Backend::kMpi:
      return launch::CommunicatorKind::kMpi;
    case configs::Backend::kNccl:
      return launch::CommunicatorKind::kNccl;
    case configs::Backend::kAuto:
      break;
  }
  return launch::CommunicatorKind::kAuto;
}

// Trains from `start` on, on this rank, and says how it ended.
absl::Status RunTrainer(FileSystem& file_system, const TrainOptions& options, const Plan& plan,
                        const Table& table, launch::MpiRuntime& runtime,
                        distributed::Communicator& communicator, Start start) {
  std::unique_ptr<monitor::RunMonitor> monitor;
  if (runtime.rank() == 0) {
    LANGEVIN_ASSIGN_OR_RETURN(monitor, OpenMonitor(file_system, options, plan, table, start));
    LANGEVIN_RETURN_IF_ERROR(
        checkpoint::RemoveEmaSnapshotsAfter(file_system, options.output, start.state.images_seen));
  }
  const int64_t total_images = plan.config.train.total_images;
  if (start.state.images_seen >= total_images) {
    LogInfo("%s: all %d images of this run are done; raise train.total_images to go on",
            options.output, total_images);
    return absl::OkStatus();
  }
  train::Trainer trainer({.file_system = file_system,
                          .communicator = communicator,
                          .control = runtime.control(),
                          .dataset = *plan.dataset,
                          .order = plan.order.get(),
                          .monitor = monitor.get(),
                          .stop_requested = launch::StopRequested,
                          .run_folder = options.output,
                          .metadata = MetadataOf(plan, runtime.size())},
                         plan.config, plan.batch, std::move(start.state), start.mean, start.guard);
  LANGEVIN_ASSIGN_OR_RETURN(const train::Outcome outcome, trainer.Run());
  const bool finished = outcome == train::Outcome::kFinished;
  const int64_t images_seen = trainer.state().images_seen;
  LANGEVIN_RETURN_IF_ERROR(TellPeakMemory(runtime.control()));
  if (monitor != nullptr) {
    monitor->Event(images_seen, finished ? "finished" : "stopped early");
    monitor->WriteReport();
  }
  if (!finished) {
    return absl::CancelledError(
        absl::StrCat("stopped at images_seen ", images_seen,
                     ", everything saved; run the same command again to go on"));
  }
  LogInfo("done: %d images; export with: langevin export --run %s --output DIR", images_seen,
          options.output);
  return absl::OkStatus();
}

absl::Status TrainOnRank(const TrainOptions& options, const ScalingOptions& scaling,
                         launch::MpiRuntime& runtime) {
  FileSystem& file_system = PosixFileSystem();
  distributed::ControlChannel& control = runtime.control();
  const int ranks = scaling.ranks > 0 ? scaling.ranks : runtime.size();

  // Everything that can be wrong is found before anything is written.
  absl::StatusOr<Plan> made = MakePlan(file_system, options, runtime.rank(), ranks);
  absl::Status ready = made.status();
  std::unique_ptr<model::Network> shapes;  // Without memory.
  int64_t num_parameters = 0;
  if (ready.ok()) {
    shapes = model::MakeNetwork(made->config, configs::Precision::kFp32, at::kMeta);
    num_parameters = shapes->parameters().num_parameters();
    at::set_num_threads(runtime.ComputeThreads(made->config.distributed.threads_per_rank));
    ready = train::CheckMemory(num_parameters, made->config, runtime.size(), runtime.local_size(),
                               ZeroStageHere(made->config, runtime, /*on_device=*/false));
  }
  LANGEVIN_RETURN_IF_ERROR(AgreeOnStatus(control, ready));
  Plan& plan = *made;
  LANGEVIN_RETURN_IF_ERROR(AgreeOnText(control, IdentityOf(plan, shapes->parameters())));
  const configs::DistributedConfig& distribution = plan.config.distributed;
  if (scaling.ranks > 0) {
    return PrintScalingPlan(file_system, scaling, options.output, plan, runtime);
  }
  LANGEVIN_ASSIGN_OR_RETURN(const at::Device device, ChooseDevice(runtime, distribution.backend));
  LANGEVIN_ASSIGN_OR_RETURN(plan.zero_stage,
                            AgreeOnZeroStage(plan.config, runtime, device.is_cuda()));
  const Table table = DescribeRun(options, plan, runtime, device, num_parameters);
  LogInfo("langevin %s", kVersion);
  LogTable(table);
  if (const auto warning = optim::FindEmaProblem(plan.config.ema, plan.config.train);
      warning.has_value() && runtime.rank() == 0) {
    LogWarning("%s", *warning);
  }
  if (options.dry_run) {
    LogInfo("dry run: nothing was written");
    return absl::OkStatus();
  }

  absl::Status opened;
  if (runtime.rank() == 0) opened = train::OpenRunFolder(file_system, options.output, plan.config);
  LANGEVIN_RETURN_IF_ERROR(AgreeOnStatus(control, opened));
  runtime.SetDeadlines(distribution.timeout_seconds, distribution.timeout_seconds);
  runtime.SetFlightFolder(options.output);
  LANGEVIN_ASSIGN_OR_RETURN(
      const std::unique_ptr<distributed::Communicator> communicator,
      launch::MakeCommunicator(runtime, CommunicatorKindFor(distribution.backend), device.is_cuda(),
                               distribution.timeout_seconds));
  control.SetPhase("resume", 0);
  LANGEVIN_ASSIGN_OR_RETURN(Start start,
                            FindStart(file_system, options, plan, control, device, *communicator));
  const absl::Status trained =
      RunTrainer(file_system, options, plan, table, runtime, *communicator, std::move(start));
  if (!trained.ok() && !absl::IsCancelled(trained)) return trained;
  LANGEVIN_RETURN_IF_ERROR(communicator->Shutdown());
  return trained;
}

// Flags that ask what the run would take elsewhere.
void AddScalingOptions(CLI::App* command, CLI::Option* dry_run, ScalingOptions& options) {
  CLI::Option* ranks =
      command
          ->add_option("--ranks", options.ranks,
                       "with --dry_run: plan for so many ranks: memory, exchanges, time of a step")
          ->check(CLI::Range(1, 1 << 20))
          ->needs(dry_run);
  std::string networks;
  for (const distributed::Network& network : distributed::KnownNetworks()) {
    absl::StrAppend(&networks, networks.empty() ? "" : ", ", network.name);
  }
  CLI::Option* network =
      command
          ->add_option("--network", options.network,
                       absl::StrCat("with --ranks: plan for this network alone: ", networks))
          ->needs(ranks);
  command
      ->add_option("--collectives", options.collectives,
                   "with --ranks: plan for the network on which `langevin bench collectives` "
                   "printed this file")
      ->needs(ranks)
      ->excludes(network);
  CLI::Option* microbatch =
      command
          ->add_option("--microbatch_ms", options.microbatch_ms,
                       "with --ranks: forward and backward of a microbatch take so long; default: "
                       "measured on this machine")
          ->check(CLI::PositiveNumber)
          ->needs(ranks);
  command
      ->add_option("--optimizer_ms", options.optimizer_ms,
                   "with --microbatch_ms: and the update of the weights so long")
      ->check(CLI::NonNegativeNumber)
      ->needs(microbatch);
  command->add_flag("--json", options.json, "with --ranks: the plan as one JSON object")
      ->needs(ranks);
}

}  // namespace

void RegisterTrain(CLI::App& program, std::function<absl::Status()>& action) {
  CLI::App* command = program.add_subcommand(launch::kTrain.name, launch::kTrain.description);
  auto options = std::make_shared<TrainOptions>();
  command->add_option("--config", options->config, "run config (text format), or a preset's name")
      ->required();
  command->add_option("--data", options->data, "data set made by `langevin prepare`")->required();
  command
      ->add_option("--output", options->output, "folder of the run; goes on if it has checkpoints")
      ->required();
  command->add_option("--init", options->init,
                      "begin with the weights of this diffusers folder (fine-tuning)");
  command
      ->add_option("--resume", options->resume,
                   "auto: from the newest good checkpoint, if any; must: fail without one; never: "
                   "refuse a run that has any")
      ->check(CLI::IsMember({"auto", "never", "must"}))
      ->capture_default_str();
  command
      ->add_option("--set", options->overrides,
                   "replace a field of the config, as in train.microbatch=16")
      ->type_name("FIELD=VALUE")
      ->take_all();
  CLI::Option* dry_run = command->add_flag("--dry_run", options->dry_run,
                                           "check everything, say what would run, and stop");
  auto scaling = std::make_shared<ScalingOptions>();
  AddScalingOptions(command, dry_run, *scaling);
  command->callback([options, scaling, &action] {
    action = [options, scaling] {
      launch::InstallStopSignalHandlers();
      return ComputeOnRanks(launch::Purpose::kTraining, [&](launch::MpiRuntime& runtime) {
        return TrainOnRank(*options, *scaling, runtime);
      });
    };
  });
}

}  // namespace langevin::tools
