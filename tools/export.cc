#include "tools/export.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "core/diffusion/scheduler_config.h"
#include "core/export/model_source.h"
#include "core/export/post_hoc_model.h"
#include "launch/tensor_subcommands.h"

namespace langevin::tools {
namespace {

struct ExportOptions {
  std::string run;
  std::string output;
  std::string weights = "ema";
  std::optional<std::string> sampler;
  std::optional<double> ema_std;
  std::optional<int64_t> ema_at;
};

struct Source {
  exporting::Model model;
  std::string weights;  // In words.
};

absl::StatusOr<Source> OpenSource(FileSystem& file_system, const ExportOptions& options) {
  if (options.ema_std.has_value()) {
    LANGEVIN_ASSIGN_OR_RETURN(
        exporting::PostHocModel made,
        exporting::OpenPostHocModel(file_system, options.run, *options.ema_std, options.ema_at));
    std::string words = absl::StrFormat(
        "ema_std %.9g at images_seen %d, from %d snapshots, its profile %.2g %% off",
        *options.ema_std, made.images_seen, made.snapshots, 100 * made.error);
    return Source{std::move(made.model), std::move(words)};
  }
  LANGEVIN_ASSIGN_OR_RETURN(
      exporting::Model model,
      exporting::OpenModel(
          file_system, options.run,
          options.weights == "raw" ? exporting::Weights::kRaw : exporting::Weights::kEma,
          at::kCPU));
  return Source{std::move(model), options.weights + " weights"};
}

// The scheduler's class is ddpm's or ddim's, where the model has time steps at all.
absl::Status ChooseSampler(const std::string& sampler, const std::string& origin,
                           diffusion::SchedulerConfig& scheduler) {
  if (diffusion::FamilyOf(scheduler) != diffusion::SchedulerFamily::kDiscrete) {
    return absl::InvalidArgumentError(absl::StrCat("--sampler ", sampler, ": ", origin,
                                                   " is no DDPM model, it is exported with ",
                                                   scheduler.class_name, "; leave --sampler out"));
  }
  if (sampler == "ddim" && scheduler.beta_schedule == "sigmoid") {
    return absl::InvalidArgumentError(
        "--sampler ddim: diffusers' DDIMScheduler has no beta_schedule sigmoid; leave --sampler "
        "out");
  }
  scheduler.class_name = sampler == "ddim" ? "DDIMScheduler" : "DDPMScheduler";
  return absl::OkStatus();
}

absl::Status RunExport(const ExportOptions& options) {
  FileSystem& file_system = PosixFileSystem();
  LANGEVIN_ASSIGN_OR_RETURN(const Source source, OpenSource(file_system, options));
  const exporting::Model& model = source.model;
  exporting::ExportRequest request{.model = model.config,
                                   .scheduler = model.scheduler,
                                   .weights = model.network->parameters().master(),
                                   .facts = model.facts};
  if (options.sampler.has_value()) {
    LANGEVIN_RETURN_IF_ERROR(ChooseSampler(*options.sampler, model.origin, request.scheduler));
  }
  LANGEVIN_RETURN_IF_ERROR(
      exporting::WriteModelFolder(file_system, options.output, request, *model.network));
  const bool is_own = !model.config.in_diffusers() || diffusion::FamilyOf(request.scheduler) ==
                                                          diffusion::SchedulerFamily::kLangevin;
  LogInfo("exported %s (%s) as %s with %s%s", model.origin, source.weights,
          model.config.class_name(), request.scheduler.class_name,
          is_own ? ", which Langevin alone can load and sample together" : "");
  absl::PrintF("%s\n", options.output);
  return absl::OkStatus();
}

}  // namespace

void RegisterExport(CLI::App& program, std::function<absl::Status()>& action) {
  CLI::App* command = program.add_subcommand(launch::kExport.name, launch::kExport.description);
  auto options = std::make_shared<ExportOptions>();
  command->add_option("--run", options->run, "a run, or one of its checkpoints")->required();
  command->add_option("--output", options->output, "the folder to write")->required();
  CLI::Option* weights =
      command
          ->add_option("--weights", options->weights,
                       "ema (averaged; with ema.power_std the first of them) or raw")
          ->check(CLI::IsMember({"ema", "raw"}))
          ->capture_default_str();
  CLI::Option* ema_std =
      command
          ->add_option("--ema_std", options->ema_std,
                       "an average of this width, made of the run's ema_snapshots: its standard "
                       "deviation as a share of the images seen")
          ->check(CLI::Range(0.001, 0.288))
          ->excludes(weights);
  command
      ->add_option("--ema_at", options->ema_at,
                   "with --ema_std: as it stood at this images_seen, one of a snapshot; default: "
                   "the newest")
      ->check(CLI::PositiveNumber)
      ->needs(ema_std);
  command
      ->add_option("--sampler", options->sampler,
                   "pipeline and scheduler of a DDPM model: ddpm (default) or ddim")
      ->check(CLI::IsMember({"ddpm", "ddim"}));
  command->callback([options, &action] { action = [options] { return RunExport(*options); }; });
}

}  // namespace langevin::tools
