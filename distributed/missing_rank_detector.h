// Decides from heartbeats whether a rank is missing.
//
// Two signs: a rank has been silent for longer than the deadline (it is dead, stopped, or cut off),
// or some rank has waited in one collective for longer than the deadline (twice that in its first)
// and another, though alive, has not come to it.
#ifndef LANGEVIN_DISTRIBUTED_MISSING_RANK_DETECTOR_H_
#define LANGEVIN_DISTRIBUTED_MISSING_RANK_DETECTOR_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "distributed/heartbeat.h"

namespace langevin::distributed {

// A function of what it is told: no threads, no clock of its own. Times are seconds from any
// origin.
class MissingRankDetector {
 public:
  // `peers` are the ranks whose heartbeats come here; `rank` is this one. With `sees_all` the peers
  // are all other ranks; only then can waiting be judged. A peer that was never heard has twice the
  // deadline from `now` on.
  MissingRankDetector(int rank, int size, const std::vector<int>& peers, bool sees_all,
                      double deadline_seconds, double now);

  // Takes a heartbeat, also this rank's own, into account.
  void Hear(const Heartbeat& heartbeat, double now);

  // "rank 2 is missing: last heard at images_seen 320, phase all_reduce", or nothing. Several ranks
  // are joined by "; ".
  std::optional<std::string> Check(double now) const;

  // Whether all peers have said goodbye.
  bool AllGone() const;

 private:
  struct Rank {
    bool is_peer = false;
    bool heard = false;
    double last_heard = 0;
    double wait_since = 0;  // When the wait that `last` tells of was first seen.
    Heartbeat last;
  };

  std::string Describe(int rank) const;
  std::optional<std::string> FindSilent(double now) const;
  std::optional<std::string> FindAbsent(double now) const;

  const int rank_;
  const bool sees_all_;
  const double deadline_seconds_;
  std::vector<Rank> ranks_;
};

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_MISSING_RANK_DETECTOR_H_
