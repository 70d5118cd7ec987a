// Files of one JSON object a line that a run goes on with after a restart: metrics.jsonl and
// events.jsonl. Every object has a member "images_seen".
#ifndef LANGEVIN_CORE_MONITOR_JSON_LINES_H_
#define LANGEVIN_CORE_MONITOR_JSON_LINES_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/file_system.h"
#include "core/monitor/append_file.h"
#include "nlohmann/json.hpp"

namespace langevin::monitor {

// Opens `path`, or creates it, to append lines after what a run that stands at `images_seen` has
// logged: lines with a higher images_seen, the torn line of a crash and lines that are no such
// objects are removed (with a warning for the latter). Objects of the same file keep their order.
absl::StatusOr<std::unique_ptr<AppendFile>> OpenJsonLines(FileSystem& file_system,
                                                          const std::string& path,
                                                          int64_t images_seen);

// The objects of the complete lines in `path`, oldest first; lines that are none are passed over.
absl::StatusOr<std::vector<nlohmann::json>> ReadJsonLines(FileSystem& file_system,
                                                          const std::string& path);

// A number for a JSON file with nine significant digits, which give every float32 back exactly.
// JSON knows neither NaN nor infinity: they become "null".
std::string JsonNumber(double value);

}  // namespace langevin::monitor

#endif  // LANGEVIN_CORE_MONITOR_JSON_LINES_H_
