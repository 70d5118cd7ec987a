#include "tools/train_plan.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "configs/presets.h"
#include "core/base/clock.h"
#include "core/base/memory.h"
#include "core/base/status_macros.h"
#include "core/optim/schedule.h"
#include "core/train/run_folder.h"
#include "core/train/run_setup.h"
#include "data/mixed_dataset.h"
#include "launch/program_files.h"

namespace langevin::tools {
namespace {

train::Resume ResumeFrom(const std::string& name) {
  if (name == "never") return train::Resume::kNever;
  return name == "must" ? train::Resume::kMust : train::Resume::kAuto;
}

std::string DescribeAverages(const configs::EmaConfig& ema, int64_t num_parameters) {
  if (ema.power_std.empty()) {
    return ema.decay.has_value()
               ? absl::StrFormat("exponential, decay %.9g a step", *ema.decay)
               : absl::StrFormat("exponential, half-life %d images", ema.half_life_images);
  }
  std::string text = absl::StrFormat("std %.9g of the images seen", ema.power_std.front());
  for (size_t i = 1; i < ema.power_std.size(); ++i) {
    absl::StrAppendFormat(&text, ", %.9g", ema.power_std[i]);
  }
  if (ema.power_std.size() > 1) {
    absl::StrAppendFormat(&text, "; %.9g is sampled and exported", ema.power_std.front());
  }
  if (ema.snapshot_every_images == 0) return text;
  const auto bytes = static_cast<int64_t>(4 * ema.power_std.size()) * num_parameters;
  return absl::StrFormat("%s; snapshots every %d images, %s each", text, ema.snapshot_every_images,
                         FormatBytes(bytes));
}

}  // namespace

absl::StatusOr<Plan> MakePlan(FileSystem& file_system, const TrainOptions& options, int rank,
                              int ranks) {
  Plan plan;
  LANGEVIN_ASSIGN_OR_RETURN(
      const std::string config_path,
      configs::ResolveConfigPath(file_system, options.config, launch::ProgramFolder()));
  LANGEVIN_ASSIGN_OR_RETURN(plan.config,
                            configs::LoadRunConfig(file_system, config_path, options.overrides));
  LANGEVIN_ASSIGN_OR_RETURN(plan.batch, train::BatchPlan::Create(plan.config.train, rank, ranks));
  LANGEVIN_ASSIGN_OR_RETURN(plan.dataset,
                            data::OpenTrainingData(file_system, options.data, plan.config.data));
  LANGEVIN_ASSIGN_OR_RETURN(plan.order,
                            data::MakeOrder(*plan.dataset, plan.config.data, plan.config.seed,
                                            plan.config.train.global_batch));
  if (!options.init.empty()) {
    LANGEVIN_ASSIGN_OR_RETURN(plan.init, exporting::ReadModelFolder(file_system, options.init));
  }
  LANGEVIN_ASSIGN_OR_RETURN(plan.config,
                            train::ResolveConfig(std::move(plan.config), *plan.dataset,
                                                 plan.init.has_value() ? &*plan.init : nullptr));
  LANGEVIN_RETURN_IF_ERROR(
      train::CheckRunFolder(file_system, options.output, plan.config, ResumeFrom(options.resume)));
  return plan;
}

Table DescribeRun(const TrainOptions& options, const Plan& plan, const launch::MpiRuntime& runtime,
                  const at::Device& device, int64_t num_parameters) {
  const configs::RunConfig& config = plan.config;
  const configs::TrainConfig& train = config.train;
  const data::ImageShape& shape = plan.dataset->shape();
  const bool bf16 = train.precision == configs::Precision::kBf16;
  const auto averages = static_cast<int64_t>(optim::AverageNames(config.ema).size());
  return {
      {"run", options.output},
      {"data", absl::StrFormat("%s: %d images of %d x %d x %d, fingerprint %s", options.data,
                               plan.dataset->size(), shape.height, shape.width, shape.channels,
                               plan.dataset->fingerprint())},
      {"model",
       absl::StrFormat("%s with %d parameters%s", config.model->class_name(), num_parameters,
                       options.init.empty() ? "" : absl::StrCat(", from ", options.init))},
      {"images", absl::StrFormat("%d in %d steps of %d", train.total_images,
                                 train.total_images / train.global_batch, train.global_batch)},
      {"microbatches", absl::StrFormat("%d of %d, %d a rank", plan.batch.microbatches,
                                       train.microbatch, plan.batch.local_microbatches)},
      {"ranks",
       absl::StrFormat("%d, %d on this host, %d threads each", runtime.size(), runtime.local_size(),
                       runtime.ComputeThreads(config.distributed.threads_per_rank))},
      {"device", absl::StrCat(device.str(), ", ", bf16 ? "bf16" : "fp32")},
      {"reduction",
       absl::StrCat(
           config.distributed.reduction == configs::Reduction::kFast ? "fast" : "ordered",
           config.distributed.gradient_precision == configs::Precision::kBf16 ? ", bf16" : "")},
      {"state",
       absl::StrCat(
           FormatBytes(train::StateBytes(num_parameters, config, runtime.size(), plan.zero_stage)),
           " a rank",
           plan.zero_stage > 0 ? "; optimizer and average sliced over the ranks (ZeRO-1)" : "")},
      {"checkpoints",
       absl::StrFormat("every %s%s and at the end, newest %d kept, %s each",
                       config.checkpoint.every_images > 0
                           ? absl::StrCat(config.checkpoint.every_images, " images or ")
                           : "",
                       FormatDuration(config.checkpoint.every_seconds), config.checkpoint.keep,
                       FormatBytes(num_parameters * 4 * (3 + averages)))},
      {"averages", DescribeAverages(config.ema, num_parameters)},
      {"log", absl::StrFormat("every %d images (intervals are rounded up to whole steps)",
                              config.monitor.log_every_images)},
      {"sample grids",
       config.monitor.sample_every_images > 0
           ? absl::StrFormat("every %d images, %d samples of %d steps",
                             config.monitor.sample_every_images, config.monitor.sample_count,
                             config.monitor.sample_steps)
           : "none"}};
}

}  // namespace langevin::tools
