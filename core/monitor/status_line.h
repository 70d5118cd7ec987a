// The line that tells how far a run is and how long it will take.
#ifndef LANGEVIN_CORE_MONITOR_STATUS_LINE_H_
#define LANGEVIN_CORE_MONITOR_STATUS_LINE_H_

#include <cstdint>
#include <deque>
#include <string>
#include <utility>

#include "core/monitor/run_monitor.h"

namespace langevin::monitor {

// Estimates the time left from the newest points, checkpoints and samples between them included.
// One thread.
class ProgressEstimate {
 public:
  void Add(const LogPoint& point);

  // Seconds until `total_images` at the newest points' speed; NaN before the first point and where
  // the speed is not known.
  double SecondsLeft(int64_t total_images) const;

 private:
  static constexpr size_t kPoints = 16;

  std::deque<std::pair<int64_t, double>> recent_;  // images_seen and elapsed_s.
  double newest_images_per_s_ = 0;
};

// 12% 7680/64000 images  loss 0.0412  312 img/s  lr 0.001  elapsed 40 s  left 3 min 10 s
std::string StatusLine(const LogPoint& point, int64_t total_images, double seconds_left);

}  // namespace langevin::monitor

#endif  // LANGEVIN_CORE_MONITOR_STATUS_LINE_H_
