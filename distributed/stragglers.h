// Finds ranks that keep the others waiting, from how long each is busy in which phase.
//
// In a step all ranks wait for the slowest, so a single throttled device, busy core or slow disk
// sets the pace of all and shows in no other number.
#ifndef LANGEVIN_DISTRIBUTED_STRAGGLERS_H_
#define LANGEVIN_DISTRIBUTED_STRAGGLERS_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "distributed/control.h"
#include "distributed/phase_board.h"

namespace langevin::distributed {

// What one rank has done since the last logging point.
struct RankPace {
  std::string host;
  std::vector<PhaseTime> times;
};

struct PaceReport {
  double spread = 1;    // Busy time of the slowest rank, over the median of all ranks.
  std::string warning;  // Not empty: a rank is slow, which one and in what.
};

// One thread.
class StragglerDetector {
 public:
  // A rank is slow whose busy time is this many times the median, and longer by so many seconds, at
  // so many logging points in a row. It is told once, and again after it has kept up in between.
  static constexpr double kSlowFactor = 1.3;
  static constexpr double kLeastSeconds = 0.25;
  static constexpr int kLoggingPoints = 3;

  // `paces`: by rank. Phases of the start and of agreeing do not count.
  PaceReport Judge(const std::vector<RankPace>& paces);

 private:
  std::vector<int> slow_points_;  // By rank: in a row, up to now.
};

// All ranks together, at a logging point: takes this rank's times. The report is rank 0's; the
// others get an empty one.
absl::StatusOr<PaceReport> ComparePaces(ControlChannel& control, StragglerDetector& detector);

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_STRAGGLERS_H_
