#include "tools/prepare.h"

#include <cstdio>
#include <memory>

#include "core/base/file_system.h"
#include "core/base/status_macros.h"

namespace langevin::tools {

absl::Status RunPrepare(const data::PrepareOptions& options) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::string text,
                            data::PrepareDataset(PosixFileSystem(), options));
  std::fputs(text.c_str(), stdout);
  return absl::OkStatus();
}

void RegisterPrepare(CLI::App& program, std::function<absl::Status()>& action) {
  CLI::App& command =
      *program.add_subcommand("prepare",
                              "Make a data set out of image files: checksummed HDF5 "
                              "shards, a manifest and a report");
  const auto options = std::make_shared<data::PrepareOptions>();
  command
      .add_option("--input", options->inputs,
                  "Folders or files: MNIST's IDX files (plain or .gz), or PNG files, whose "
                  "sub-folders are classes (or splits: train, validation)")
      ->required()
      ->type_name("PATH");
  command.add_option("--output", options->output, "Folder to make; must not exist")
      ->required()
      ->type_name("DATA");
  command.add_flag("--dry_run", options->dry_run, "Read and count everything, write nothing");
  command.add_option("--shard_mib", options->shard_mib, "Largest size of a shard in MiB")
      ->capture_default_str()
      ->check(CLI::Range(1, 4096));
  command
      .add_option("--validation_fraction", options->validation_fraction,
                  "Share of the images for split validation, where the inputs have none")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 1.0));
  command.callback([options, &action] { action = [options] { return RunPrepare(*options); }; });
}

}  // namespace langevin::tools
