#include "core/monitor/json_lines.h"

#include <cmath>
#include <functional>
#include <string_view>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"

namespace langevin::monitor {
namespace {

// Calls `visit` with each complete line, line break included, and its object; the object is
// discarded (nlohmann's word for invalid) if the line holds none with an integer images_seen.
void ForEachLine(std::string_view text,
                 const std::function<void(std::string_view, nlohmann::json)>& visit) {
  while (true) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return;
    nlohmann::json object = nlohmann::json::parse(text.begin(), text.begin() + end,
                                                  /*cb=*/nullptr, /*allow_exceptions=*/false);
    if (!object.is_object() || !object.contains("images_seen") ||
        !object["images_seen"].is_number_integer()) {
      object = nlohmann::json(nlohmann::json::value_t::discarded);
    }
    visit(text.substr(0, end + 1), std::move(object));
    text.remove_prefix(end + 1);
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<AppendFile>> OpenJsonLines(FileSystem& file_system,
                                                          const std::string& path,
                                                          int64_t images_seen) {
  absl::StatusOr<std::string> text = file_system.ReadFile(path);
  if (absl::IsNotFound(text.status())) return AppendFile::Open(file_system, path);
  if (!text.ok()) return text.status();
  std::string kept;
  int damaged = 0;
  ForEachLine(*text, [&](std::string_view line, const nlohmann::json& object) {
    if (object.is_discarded()) {
      ++damaged;
    } else if (object["images_seen"].get<int64_t>() <= images_seen) {
      kept.append(line);
    }
  });
  if (damaged > 0) {
    LogWarning("%s: removed %d damaged line%s; all others are kept", path, damaged,
               damaged == 1 ? "" : "s");
  }
  if (text->starts_with(kept)) {
    // The usual case, which needs no space on the disk.
    if (text->size() > kept.size()) {
      LANGEVIN_RETURN_IF_ERROR(file_system.Truncate(path, kept.size()));
    }
  } else {
    LANGEVIN_RETURN_IF_ERROR(file_system.WriteFileDurably(path, kept));
  }
  return AppendFile::Open(file_system, path);
}

absl::StatusOr<std::vector<nlohmann::json>> ReadJsonLines(FileSystem& file_system,
                                                          const std::string& path) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::string text, file_system.ReadFile(path));
  std::vector<nlohmann::json> objects;
  ForEachLine(text, [&](std::string_view, nlohmann::json object) {
    if (!object.is_discarded()) objects.push_back(std::move(object));
  });
  return objects;
}

std::string JsonNumber(double value) {
  return std::isfinite(value) ? absl::StrFormat("%.9g", value) : "null";
}

}  // namespace langevin::monitor
