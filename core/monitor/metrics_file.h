// metrics.jsonl: the measurements of a run, one JSON object a line, for programs to follow:
//   {"images_seen":640,"loss":0.0412031487,"gradient_norm":0.51,"learning_rate":0.001,
//    "images_per_s":312.5,"loader_wait_share":0.01,"rank_spread":1.02,"skipped_steps":0,
//    "loss_spikes":0,"elapsed_s":2.1,"time":1700000000.25}
// (on one line). A loss or norm that is no finite number is null.
#ifndef LANGEVIN_CORE_MONITOR_METRICS_FILE_H_
#define LANGEVIN_CORE_MONITOR_METRICS_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/file_system.h"
#include "core/monitor/append_file.h"
#include "core/monitor/run_monitor.h"

namespace langevin::monitor {

// One thread. `file_system` must outlive it.
class MetricsFile {
 public:
  // Opens `path`, or creates it, cut back to complete lines with images_seen <= `images_seen`.
  static absl::StatusOr<MetricsFile> Open(FileSystem& file_system, const std::string& path,
                                          int64_t images_seen);

  // Writes one line, which is in the file when this returns. `unix_time`: seconds since 1970. After
  // an error the file ends with the last line that was written whole, and the next call tries
  // again.
  absl::Status Append(const LogPoint& point, double unix_time);

 private:
  explicit MetricsFile(std::unique_ptr<AppendFile> file) : file_(std::move(file)) {}

  std::unique_ptr<AppendFile> file_;
};

// All points of `path`, oldest first. What is null or missing is NaN.
absl::StatusOr<std::vector<LogPoint>> ReadMetrics(FileSystem& file_system, const std::string& path);

}  // namespace langevin::monitor

#endif  // LANGEVIN_CORE_MONITOR_METRICS_FILE_H_
