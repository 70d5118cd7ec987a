// events.jsonl: what happened in a run besides training, for its report: start, resume,
// checkpoints, stop. One JSON object a line, with images_seen, time (seconds since 1970) and what.
#ifndef LANGEVIN_CORE_MONITOR_EVENT_LIST_H_
#define LANGEVIN_CORE_MONITOR_EVENT_LIST_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/file_system.h"
#include "core/monitor/append_file.h"

namespace langevin::monitor {

struct RunEvent {
  int64_t images_seen = 0;
  double unix_time = 0;
  std::string what;
};

// One thread. `file_system` must outlive it.
class EventList {
 public:
  // Opens `path`, or creates it, cut back to complete lines with images_seen <= `images_seen`.
  static absl::StatusOr<EventList> Open(FileSystem& file_system, const std::string& path,
                                        int64_t images_seen);

  absl::Status Append(const RunEvent& event);

 private:
  explicit EventList(std::unique_ptr<AppendFile> file) : file_(std::move(file)) {}

  std::unique_ptr<AppendFile> file_;
};

// All events of `path`, oldest first.
absl::StatusOr<std::vector<RunEvent>> ReadEvents(FileSystem& file_system, const std::string& path);

}  // namespace langevin::monitor

#endif  // LANGEVIN_CORE_MONITOR_EVENT_LIST_H_
