#include "tools/run_needs.h"

#include "configs/presets.h"
#include "configs/run_config.h"
#include "core/base/digest.h"
#include "core/base/file_system.h"
#include "core/base/status_macros.h"
#include "core/model/make_network.h"
#include "launch/program_files.h"

namespace langevin::tools {

absl::StatusOr<launch::RunNeeds> ReadRunNeeds(const std::string& config,
                                              const std::vector<std::string>& overrides) {
  FileSystem& file_system = PosixFileSystem();
  LANGEVIN_ASSIGN_OR_RETURN(
      const std::string path,
      configs::ResolveConfigPath(file_system, config, launch::ProgramFolder()));
  LANGEVIN_ASSIGN_OR_RETURN(const configs::RunConfig run,
                            configs::LoadRunConfig(file_system, path, overrides));
  Digest digest;
  digest.UpdateString(configs::ToText(run));
  launch::RunNeeds needs{.digest = digest.Hex()};
  if (run.model.has_value()) {
    needs.weights = static_cast<uint64_t>(model::CountParameters(*run.model));
  }
  return needs;
}

}  // namespace langevin::tools
