// What a run shows of itself: status line, metrics.jsonl, TensorBoard events, sample grids, report.
//
// The training loop says what happened; this says it to people and programs. Rank 0 has one;
// nothing that is computed depends on it, and a failure to write a picture never stops a run (a
// full disk is reported once, as a warning). One thread.
#ifndef LANGEVIN_CORE_MONITOR_RUN_MONITOR_H_
#define LANGEVIN_CORE_MONITOR_RUN_MONITOR_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/file_system.h"

namespace langevin::monitor {

// One logging point. loss and gradient_norm are means over the images since the last one.
struct LogPoint {
  int64_t images_seen = 0;
  double loss = 0;
  double gradient_norm = 0;
  double learning_rate = 0;
  double images_per_s = 0;
  double loader_wait_share = 0;  // Of the time since the last point, in [0, 1].
  double rank_spread = 1;        // Busy time of the slowest rank, over the median of all.
  int64_t skipped_steps = 0;     // Of the whole run so far: loss or gradient was not finite.
  int64_t loss_spikes = 0;       // Of the whole run so far.
  double elapsed_s = 0;          // Of this process.
};

struct RunFacts {
  std::string title;  // The run folder's name.
  int64_t total_images = 0;
  // What the report's table and the start table show: name and value, in order.
  std::vector<std::pair<std::string, std::string>> table;
  std::string config_text;
};

// Images (count, channels, height, width), float, in [-1, 1].
struct ImageBatch {
  int64_t count = 0;
  int64_t channels = 0;
  int64_t height = 0;
  int64_t width = 0;
  std::span<const float> values;
};

class RunMonitor {
 public:
  // Opens (or goes on with) the files in `run_folder`, which exists. metrics.jsonl is cut back to
  // lines with images_seen <= `images_seen`; TensorBoard gets a new event file whose first event
  // purges steps above it (SessionLog START), as its readers expect of a restart.
  static absl::StatusOr<std::unique_ptr<RunMonitor>> Open(FileSystem& file_system,
                                                          const std::string& run_folder,
                                                          const RunFacts& facts,
                                                          int64_t images_seen);
  virtual ~RunMonitor() = default;

  // Writes one line to metrics.jsonl (flushed; loss and gradient_norm as %.9g), the scalars to
  // TensorBoard (tag = name, step = images_seen), and the status line:
  //   12% 7680/64000 images  loss 0.0412  312 img/s  lr 0.001  elapsed 40 s  left 3 min 10 s
  virtual void Log(const LogPoint& point) = 0;

  // Writes samples/images-000000064000.png (a grid as WriteGrid makes it) and a TensorBoard image
  // under the tag "samples".
  virtual void Samples(int64_t images_seen, const ImageBatch& images) = 0;

  // Something to be seen in the report's list of events and the log: start, resume, checkpoint
  // written, stop.
  virtual void Event(int64_t images_seen, const std::string& what) = 0;

  // The same for something that should not be: the log shows it as a warning.
  virtual void Warn(int64_t images_seen, const std::string& what) = 0;

  // Writes report.html: one self-contained file with the table, the loss curve over images_seen
  // (from metrics.jsonl, so that resumed runs show all of it), learning rate and speed curves, the
  // newest sample grids, events, the config. Called after each checkpoint and at the end.
  virtual void WriteReport() = 0;
};

}  // namespace langevin::monitor

#endif  // LANGEVIN_CORE_MONITOR_RUN_MONITOR_H_
