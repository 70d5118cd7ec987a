#include "tools/prepare.h"

#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "configs/prepare_config_text.h"
#include "configs/presets.h"
#include "core/base/file_system.h"
#include "core/base/status_macros.h"
#include "data/ingest/prepare_job.h"
#include "distributed/agreement.h"
#include "distributed/control_group.h"
#include "launch/program_files.h"
#include "launch/stop_signals.h"
#include "tools/run_on_ranks.h"

namespace langevin::tools {
namespace {

// How long a rank may be silent, and how long one may wait for another that is alive.
constexpr double kPrepareSilenceSeconds = 60;
constexpr double kLongestPrepareSeconds = 7 * 24 * 3600;

struct Flags {
  data::PrepareOptions options;
  std::string config;
  std::vector<std::string> overrides;
  std::optional<int64_t> shard_mib;
  std::optional<double> validation_fraction;
};

absl::StatusOr<configs::PrepareConfig> LoadConfig(const Flags& flags) {
  FileSystem& file_system = PosixFileSystem();
  std::string path;
  if (!flags.config.empty()) {
    LANGEVIN_ASSIGN_OR_RETURN(
        path, configs::ResolveConfigPath(file_system, flags.config, launch::ProgramFolder()));
  }
  if (flags.config.empty() && !flags.options.append_to.empty()) {
    path = JoinPath(flags.options.append_to, data::kConfigName);
  }
  // The short forms stand for overrides.
  std::vector<std::string> overrides = flags.overrides;
  if (flags.shard_mib.has_value()) {
    overrides.push_back(absl::StrFormat("shards.shard_mib=%d", *flags.shard_mib));
  }
  if (flags.validation_fraction.has_value()) {
    overrides.push_back(
        absl::StrFormat("split.validation_fraction=%.17g", *flags.validation_fraction));
  }
  return configs::LoadPrepareConfig(file_system, path, overrides);
}

absl::Status PrepareOnRank(const Flags& flags, launch::MpiRuntime& runtime) {
  data::PrepareOptions options = flags.options;
  absl::StatusOr<configs::PrepareConfig> config = LoadConfig(flags);
  LANGEVIN_RETURN_IF_ERROR(distributed::AgreeOnStatus(runtime.control(), config.status()));
  options.config = *std::move(config);
  if (options.workers == 0) options.workers = runtime.ComputeThreads(0);
  options.stop_requested = launch::StopRequested;
  // Each rank decodes its whole share before it meets the others, and some end much sooner.
  runtime.SetDeadlines(kPrepareSilenceSeconds, kLongestPrepareSeconds);
  runtime.control().SetPhase("prepare", 0);
  distributed::ControlGroup group(runtime.control());
  const absl::StatusOr<std::string> text = data::PrepareDataset(PosixFileSystem(), group, options);
  if (!text.ok()) {
    // All ranks have the same error: rank 0 tells it.
    return runtime.rank() == 0 ? text.status() : distributed::MarkReported(text.status());
  }
  if (runtime.rank() == 0) std::fputs(text->c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

void RegisterPrepare(CLI::App& program, std::function<absl::Status()>& action) {
  CLI::App& command = *program.add_subcommand(
      "prepare",
      "Make a data set out of image files: checksummed HDF5 shards, a manifest and a report; also "
      "under mpirun or srun. Interrupted, the same command goes on");
  const auto flags = std::make_shared<Flags>();
  command
      .add_option("--input", flags->options.inputs,
                  "Folders or files: MNIST's IDX files (plain or .gz), or PNG files, whose "
                  "sub-folders are classes (or splits: train, validation)")
      ->required()
      ->type_name("PATH");
  command.add_option("--output", flags->options.output, "Folder to make; must not exist")
      ->required()
      ->type_name("DATA");
  command
      .add_option("--config", flags->config,
                  "File with fields of configs/prepare_config.proto, or the name of a preset")
      ->type_name("FILE");
  command
      .add_option("--set", flags->overrides,
                  "Replaces a field of the config, as in --set geometry.height=64")
      ->type_name("a.b=VALUE");
  command
      .add_option(
          "--append", flags->options.append_to,
          "A data set that DATA becomes a new version of: its shards come first, as the same "
          "files, then the images of files that are not in it. Takes its config")
      ->type_name("OLD");
  command.add_flag("--dry_run", flags->options.dry_run,
                   "Decode and judge everything, write DATA.report.html only");
  command
      .add_option("--shard_mib", flags->shard_mib,
                  "Short for --set shards.shard_mib: largest size of a shard in MiB (256)")
      ->check(CLI::Range(1, 4096));
  command
      .add_option("--validation_fraction", flags->validation_fraction,
                  "Short for --set split.validation_fraction: share of the groups for split "
                  "validation, where the inputs have none")
      ->check(CLI::Range(0.0, 1.0));
  command
      .add_option("--workers", flags->options.workers,
                  "Processes that decode on each rank; 0: as many as cores it may use")
      ->default_val(0)
      ->check(CLI::Range(0, 1024));
  command.callback([flags, &action] {
    action = [flags] {
      launch::InstallStopSignalHandlers();
      return RunOnRanks(launch::Purpose::kTool, [&](launch::MpiRuntime& runtime) {
        return PrepareOnRank(*flags, runtime);
      });
    };
  });
}

}  // namespace langevin::tools
