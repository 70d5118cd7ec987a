#include "configs/presets.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "configs/config_message.h"

namespace langevin::configs {
namespace {

constexpr absl::string_view kEnding = ".textproto";

std::vector<std::string> PresetNames(FileSystem& file_system, const std::string& folder) {
  std::vector<std::string> names;
  const absl::StatusOr<std::vector<std::string>> files = file_system.List(folder);
  if (!files.ok()) return names;
  for (const std::string& file : *files) {
    absl::string_view name = file;
    if (absl::ConsumeSuffix(&name, kEnding)) names.emplace_back(name);
  }
  return names;
}

}  // namespace

absl::StatusOr<std::string> ResolveConfigPath(FileSystem& file_system,
                                              const std::string& name_or_path,
                                              const std::string& program_folder) {
  if (file_system.Exists(name_or_path)) return name_or_path;
  const std::string folder = JoinPath(program_folder, "../configs/presets");
  const std::vector<std::string> presets = PresetNames(file_system, folder);
  const std::string name(absl::StripSuffix(name_or_path, kEnding));
  const bool bare = !absl::StrContains(name, '/');
  if (bare) {
    for (const std::string& preset : presets) {
      if (preset == name) return JoinPath(folder, absl::StrCat(preset, kEnding));
    }
  }
  const std::string known = presets.empty()
                                ? absl::StrCat("no presets were found in ", folder)
                                : absl::StrCat("presets: ", absl::StrJoin(presets, ", "));
  return absl::InvalidArgumentError(absl::StrCat(
      Shown(name_or_path, 200), ": there is no such config file",
      bare ? absl::StrCat(" or preset", DidYouMean(name, presets)) : std::string(), "; ", known));
}

}  // namespace langevin::configs
