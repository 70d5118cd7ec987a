#include "tools/export.h"

#include <memory>
#include <string>

#include "ATen/ATen.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "core/export/model_source.h"

namespace langevin::tools {
namespace {

struct ExportOptions {
  std::string run;
  std::string output;
  std::string weights = "ema";
  std::string sampler = "ddpm";
};

absl::Status RunExport(const ExportOptions& options) {
  FileSystem& file_system = PosixFileSystem();
  LANGEVIN_ASSIGN_OR_RETURN(
      const exporting::Model model,
      exporting::OpenModel(
          file_system, options.run,
          options.weights == "raw" ? exporting::Weights::kRaw : exporting::Weights::kEma,
          at::kCPU));
  exporting::ExportRequest request{.model = model.config,
                                   .scheduler = model.scheduler,
                                   .weights = model.network->parameters().master(),
                                   .facts = model.facts};
  request.scheduler.class_name = options.sampler == "ddim" ? "DDIMScheduler" : "DDPMScheduler";
  LANGEVIN_RETURN_IF_ERROR(
      exporting::WriteModelFolder(file_system, options.output, request, *model.network));
  LogInfo("exported %s (%s weights) as a %s", model.origin, options.weights,
          !model.config.in_diffusers()
              ? absl::StrCat(model.config.class_name(), ", which Langevin alone can load")
          : model.config.family() == "dit" ? "diffusers DiTTransformer2DModel"
          : options.sampler == "ddim"      ? "diffusers DDIMPipeline"
                                           : "diffusers DDPMPipeline");
  absl::PrintF("%s\n", options.output);
  return absl::OkStatus();
}

}  // namespace

void RegisterExport(CLI::App& program, std::function<absl::Status()>& action) {
  CLI::App* command =
      program.add_subcommand("export", "Write a run's model as a folder that diffusers loads");
  auto options = std::make_shared<ExportOptions>();
  command->add_option("--run", options->run, "a run, or one of its checkpoints")->required();
  command->add_option("--output", options->output, "the folder to write")->required();
  command->add_option("--weights", options->weights, "ema (averaged) or raw")
      ->check(CLI::IsMember({"ema", "raw"}))
      ->capture_default_str();
  command->add_option("--sampler", options->sampler, "pipeline and scheduler: ddpm or ddim")
      ->check(CLI::IsMember({"ddpm", "ddim"}))
      ->capture_default_str();
  command->callback([options, &action] { action = [options] { return RunExport(*options); }; });
}

}  // namespace langevin::tools
