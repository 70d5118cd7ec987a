// Decides from heartbeats whether a rank is missing.
//
// Two signs: a rank has been silent for longer than its deadline (it is dead, stopped, or cut off),
// or a collective has been under way on some rank for longer than its deadline. Collectives are
// numbered alike on all ranks, so one that does not end tells who has not come to it, though alive,
// or who called another one.
#ifndef LANGEVIN_DISTRIBUTED_MISSING_RANK_DETECTOR_H_
#define LANGEVIN_DISTRIBUTED_MISSING_RANK_DETECTOR_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "distributed/heartbeat.h"

namespace langevin::distributed {

struct Deadlines {
  // A rank may be silent for so long; twice that before it is first heard.
  double silence_seconds = 60;
  // A collective may be under way for so long on any rank; twice that while the rank starts up,
  // which ends with its first collective of tensors.
  double collective_seconds = 60;
};

// A function of what it is told: no threads, no clock of its own. Times are seconds from any
// origin.
class MissingRankDetector {
 public:
  // `peers` are the ranks whose heartbeats come here; `rank` is this one. With `sees_all` the peers
  // are all other ranks. Otherwise this rank leaves it to those that see all to judge collectives,
  // and acts only if they have not, kOthersSeconds after a deadline of its own.
  MissingRankDetector(int rank, int size, const std::vector<int>& peers, bool sees_all,
                      Deadlines deadlines, double now);

  void SetDeadlines(Deadlines deadlines) { deadlines_ = deadlines; }

  // Takes a heartbeat, also this rank's own, into account.
  void Hear(const Heartbeat& heartbeat, double now);

  // Why the run must end, or nothing:
  //   rank 2 is missing: last heard at images_seen 320, phase all_reduce
  //   rank 2 is missing: last heard at images_seen 320, phase load: it has not come to all_gather
  //   #418
  // Several ranks are joined by "; ".
  std::optional<std::string> Check(double now) const;

  // Whether all peers have said goodbye.
  bool AllGone() const;

 private:
  static constexpr double kOthersSeconds = 5;
  // A collective that all have come to waits longer: if a rank died in it, its silence tells which.
  static constexpr double kSilenceShowsSeconds = 2;

  struct Rank {
    bool is_peer = false;
    bool heard = false;
    double last_heard = 0;
    double under_way_since = 0;  // When the collective that `last` tells of was first seen.
    Heartbeat last;
  };

  std::string Describe(int rank) const;
  std::optional<std::string> FindSilent(double now) const;
  std::optional<std::string> FindStuck(double now) const;
  // For how long the collective of a rank has been overdue; not above 0: it is not.
  double OverdueSeconds(const Rank& rank, double now) const;
  // The rank whose collective is overdue; of several, that with the lowest number.
  const Rank* FindOverdue(double now) const;

  const int rank_;
  const bool sees_all_;
  Deadlines deadlines_;
  std::vector<Rank> ranks_;
};

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_MISSING_RANK_DETECTOR_H_
