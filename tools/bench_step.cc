#include "tools/bench_step.h"

#include <functional>
#include <limits>
#include <memory>
#include <utility>

#include "ATen/ATen.h"
#include "ATen/Parallel.h"
#include "absl/strings/str_cat.h"
#include "configs/run_config.h"
#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/base/status_macros.h"
#include "core/model/make_network.h"
#include "core/train/run_folder.h"
#include "core/train/run_setup.h"
#include "core/train/trainer.h"
#include "distributed/agreement.h"
#include "tools/bench_report.h"
#include "tools/compute_on_ranks.h"
#include "tools/random_images.h"

namespace langevin::tools {
namespace {

using distributed::AgreeOnStatus;

// The peer's step as a run: AdamW at 1e-4, clipping to norm 1, EMA 0.999, DDPM with 1000 steps.
absl::StatusOr<configs::RunConfig> BenchConfig(const StepBenchOptions& options, int ranks) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::string json,
                            PosixFileSystem().ReadFile(options.unet, /*limit=*/1 << 20));
  LANGEVIN_ASSIGN_OR_RETURN(
      const configs::ModelConfig model,
      configs::ModelConfigFromJson(json, options.unet, /*label_dropout=*/std::nullopt));
  if (!model.sample_size().has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat(options.unet, ": sample_size is null; a benchmark needs the images' size"));
  }
  if (options.batch < 1 || options.batch > std::numeric_limits<int>::max() / ranks) {
    return absl::InvalidArgumentError(absl::StrCat("--batch ", options.batch, ": must be from 1"));
  }
  const int64_t global_batch = options.batch * ranks;
  const int64_t steps = 1 + options.warmup + options.steps;
  std::vector<std::string> overrides = {
      absl::StrCat("train.total_images=", global_batch),
      absl::StrCat("train.global_batch=", global_batch),
      absl::StrCat("train.microbatch=", options.batch),
      absl::StrCat("train.precision=", options.precision == "bf16" ? "BF16" : "FP32"),
      absl::StrCat("distributed.reduction=", options.reduction == "fast" ? "FAST" : "ORDERED"),
      absl::StrCat("distributed.threads_per_rank=", options.threads),
      "ema.decay=0.999",
      "ema.rampup_ratio=0",
      "checkpoint.every_seconds=0",
      "checkpoint.keep=1"};
  overrides.insert(overrides.end(), options.overrides.begin(), options.overrides.end());
  LANGEVIN_ASSIGN_OR_RETURN(configs::RunConfig config,
                            configs::ParseRunConfig("", "langevin bench", overrides));
  config.train.total_images = steps * config.train.global_batch;  // Which --set may have changed.
  config.model = model;
  config.diffusion.process = configs::DdpmConfig();
  return configs::ParseRunConfig(configs::ToText(config), "langevin bench", {});
}

int64_t NumClasses(const configs::ModelConfig& model) {
  return model.is_conditional() ? model.num_classes().value_or(10) : 0;
}

struct StepTimes {
  double model_made_s = 0;   // After the process's start.
  double first_step_s = 0;   // After the process's start.
  std::vector<double> ends;  // Of all steps, by MonotonicSeconds.
  int64_t peak_rss_mib = 0;  // Before the checkpoint that ends a run.
  int64_t parameters = 0;
  int threads = 1;
};

// Notes the end of each step: the trainer asks once a step whether it should stop.
class StepClock {
 public:
  explicit StepClock(StepTimes& times) : times_(times) {}
  bool operator()() {
    if (times_.ends.empty()) times_.first_step_s = SecondsSinceProcessStart();
    times_.ends.push_back(MonotonicSeconds());
    times_.peak_rss_mib = PeakMemoryBytes() >> 20;
    return false;
  }

 private:
  StepTimes& times_;
};

absl::StatusOr<StepTimes> RunSteps(const configs::RunConfig& config, const std::string& folder,
                                   launch::MpiRuntime& runtime) {
  FileSystem& file_system = PosixFileSystem();
  StepTimes times;
  times.threads = runtime.ComputeThreads(config.distributed.threads_per_rank);
  at::set_num_threads(times.threads);
  LANGEVIN_ASSIGN_OR_RETURN(const at::Device device,
                            ChooseDevice(runtime, config.distributed.backend));
  LANGEVIN_ASSIGN_OR_RETURN(const train::BatchPlan plan,
                            train::BatchPlan::Create(config.train, runtime.rank(), runtime.size()));
  runtime.SetDeadlines(config.distributed.timeout_seconds, config.distributed.timeout_seconds);
  LANGEVIN_ASSIGN_OR_RETURN(
      const std::unique_ptr<distributed::Communicator> communicator,
      launch::MakeCommunicator(runtime, launch::CommunicatorKind::kAuto, device.is_cuda(),
                               config.distributed.timeout_seconds));
  const configs::ModelConfig& architecture = *config.model;
  const configs::SampleSize size = *architecture.sample_size();
  const RandomImages images(
      {.height = size.height, .width = size.width, .channels = architecture.in_channels()},
      NumClasses(architecture));
  std::unique_ptr<model::Network> network = model::MakeNetwork(
      architecture, config.train.precision, device, train::TrainableMultiple(runtime.size()));
  network->parameters().Initialize(config.seed);
  times.parameters = network->parameters().num_parameters();
  LANGEVIN_ASSIGN_OR_RETURN(const int zero_stage,
                            AgreeOnZeroStage(config, runtime, device.is_cuda()));
  LANGEVIN_ASSIGN_OR_RETURN(const auto sharding,
                            train::ShardingFor(network->parameters(), zero_stage, *communicator));
  times.model_made_s = SecondsSinceProcessStart();

  StepClock clock(times);
  train::Trainer trainer(
      {.file_system = file_system,
       .communicator = *communicator,
       .control = runtime.control(),
       .dataset = images,
       .monitor = nullptr,
       .stop_requested = std::ref(clock),
       .run_folder = folder,
       .metadata = {.config = configs::ToText(config),
                    .data_fingerprint = images.fingerprint(),
                    .software = "langevin bench",
                    .world_size = runtime.size()}},
      config, plan, train::TrainState::Begin(std::move(network), sharding, config.ema), {}, {});
  LANGEVIN_ASSIGN_OR_RETURN(const train::Outcome outcome, trainer.Run());
  LANGEVIN_RETURN_IF_ERROR(communicator->Shutdown());
  if (outcome == train::Outcome::kStopped) return absl::CancelledError("stopped");
  return times;
}

// The same in a folder of its own under --work, which is gone afterwards.
absl::StatusOr<StepTimes> TimeSteps(const configs::RunConfig& config, const std::string& work,
                                    launch::MpiRuntime& runtime) {
  FileSystem& file_system = PosixFileSystem();
  const std::string folder = JoinPath(work, "bench_step");
  absl::Status opened;
  if (runtime.rank() == 0) {
    opened = file_system.RemoveTree(folder);
    if (opened.ok()) opened = train::OpenRunFolder(file_system, folder, config);
  }
  LANGEVIN_RETURN_IF_ERROR(AgreeOnStatus(runtime.control(), opened));
  absl::StatusOr<StepTimes> times = RunSteps(config, folder, runtime);
  if (runtime.rank() == 0) file_system.RemoveTree(folder).IgnoreError();
  return times;
}

}  // namespace

absl::Status BenchStep(const StepBenchOptions& options, launch::MpiRuntime& runtime) {
  const absl::StatusOr<configs::RunConfig> config = BenchConfig(options, runtime.size());
  LANGEVIN_RETURN_IF_ERROR(AgreeOnStatus(runtime.control(), config.status()));
  LANGEVIN_ASSIGN_OR_RETURN(const StepTimes times, TimeSteps(*config, options.work, runtime));
  if (runtime.rank() != 0) return absl::OkStatus();
  // Of the steps that are timed, each from the end of the one before.
  const std::vector<double> ends(times.ends.begin() + 1 + options.warmup, times.ends.end());
  std::vector<double> seconds(ends.size());
  for (size_t i = 0; i < ends.size(); ++i) seconds[i] = ends[i] - times.ends[options.warmup + i];
  const double step_s = Median(std::move(seconds));
  const int64_t images = config->train.global_batch;
  nlohmann::ordered_json line = {{"peer", "langevin"},
                                 {"dtype", options.precision},
                                 {"compile", false},
                                 {"channels_last", true},
                                 {"ranks", runtime.size()},
                                 {"threads", times.threads},
                                 {"parameters", times.parameters},
                                 {"batch_per_rank", images / runtime.size()},
                                 {"step_ms", Rounded(step_s * 1e3)},
                                 {"images_per_s", Rounded(static_cast<double>(images) / step_s)},
                                 {"first_step_s", Rounded(times.first_step_s)},
                                 {"peak_rss_mib", times.peak_rss_mib},
                                 {"peak_device_mib", nullptr}};
  if (options.step_ends) line["step_ends_s"] = ends;
  PrintJsonLine(line);
  return absl::OkStatus();
}

absl::Status BenchStartup(const StepBenchOptions& options, launch::MpiRuntime& runtime) {
  const double runtime_s = SecondsSinceProcessStart();
  StepBenchOptions one_step = options;
  one_step.steps = 0;
  one_step.warmup = 0;
  const absl::StatusOr<configs::RunConfig> config = BenchConfig(one_step, runtime.size());
  LANGEVIN_RETURN_IF_ERROR(AgreeOnStatus(runtime.control(), config.status()));
  LANGEVIN_ASSIGN_OR_RETURN(const StepTimes times, TimeSteps(*config, options.work, runtime));
  if (runtime.rank() != 0) return absl::OkStatus();
  PrintJsonLine({{"bench", "startup"},
                 {"dtype", options.precision},
                 {"ranks", runtime.size()},
                 {"threads", times.threads},
                 {"parameters", times.parameters},
                 {"batch_per_rank", options.batch},
                 {"runtime_s", Rounded(runtime_s)},
                 {"model_s", Rounded(times.model_made_s)},
                 {"first_step_s", Rounded(times.first_step_s)}});
  return absl::OkStatus();
}

}  // namespace langevin::tools
