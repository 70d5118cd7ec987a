#include "core/monitor/event_list.h"

#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "core/monitor/json_lines.h"

namespace langevin::monitor {

absl::StatusOr<EventList> EventList::Open(FileSystem& file_system, const std::string& path,
                                          int64_t images_seen) {
  LANGEVIN_ASSIGN_OR_RETURN(std::unique_ptr<AppendFile> file,
                            OpenJsonLines(file_system, path, images_seen));
  return EventList(std::move(file));
}

absl::Status EventList::Append(const RunEvent& event) {
  // Bytes that are no UTF-8 are replaced, as JSON demands.
  const std::string what = nlohmann::json(event.what)
                               .dump(
                                   /*indent=*/-1, /*indent_char=*/' ', /*ensure_ascii=*/false,
                                   nlohmann::json::error_handler_t::replace);
  return file_->Append(absl::StrFormat("{\"images_seen\":%d,\"time\":%.3f,\"what\":%s}\n",
                                       event.images_seen, event.unix_time, what));
}

absl::StatusOr<std::vector<RunEvent>> ReadEvents(FileSystem& file_system, const std::string& path) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<nlohmann::json> objects,
                            ReadJsonLines(file_system, path));
  std::vector<RunEvent> events;
  for (const nlohmann::json& object : objects) {
    if (!object.contains("time") || !object["time"].is_number()) continue;
    if (!object.contains("what") || !object["what"].is_string()) continue;
    events.push_back({.images_seen = object["images_seen"].get<int64_t>(),
                      .unix_time = object["time"].get<double>(),
                      .what = object["what"].get<std::string>()});
  }
  return events;
}

}  // namespace langevin::monitor
