// Notices ranks that have died, stopped or lost the way, and ends the run instead of letting it
// hang.
//
// Open MPI 4.1 cannot go on without a rank, and a collective that a rank does not come to never
// returns. So a thread of each rank sends heartbeats to the others; when one is missing or a
// collective takes too long, it tells the others and calls a handler, which says so and ends the
// process.
#ifndef LANGEVIN_DISTRIBUTED_WATCHDOG_H_
#define LANGEVIN_DISTRIBUTED_WATCHDOG_H_

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "distributed/flight_recorder.h"
#include "distributed/heartbeat.h"
#include "distributed/missing_rank_detector.h"
#include "distributed/phase_board.h"

namespace langevin::distributed {

// Made, started and stopped by one thread.
class Watchdog {
 public:
  struct Options {
    Deadlines deadlines;
    double interval_seconds = 0.5;  // Between heartbeats.
  };

  // Tells the others what is on `board` and in `recorder`. `on_missing` is called at most once, by
  // the watchdog's thread, with the message of this rank's detector or of the first that has one.
  Watchdog(std::unique_ptr<HeartbeatTransport> transport, std::shared_ptr<PhaseBoard> board,
           std::shared_ptr<FlightRecorder> recorder, Options options,
           std::function<void(const std::string&)> on_missing);
  // Joins the thread. Without Stop the others will miss this rank.
  ~Watchdog();

  void Start();

  // From now on. Any thread.
  void SetDeadlines(Deadlines deadlines);

  // Says goodbye to the others and returns when all of them have: afterwards no heartbeat is under
  // way any more. Unavailable if one is missing and on_missing has returned.
  absl::Status Stop();

  // One round of sending, receiving and judging at `now` (seconds on a clock that only goes
  // forward). False when the rounds are over. Called by the thread; by tests instead of Start.
  bool Tick(double now);

 private:
  // Peers of up to this many ranks all hear each other; in larger worlds rank 0 hears all, and all
  // hear rank 0.
  static constexpr int kLargestMesh = 64;

  void Run();
  void SendTo(int peer, Heartbeat own);
  // The others' alarms and what the detector makes of it all.
  std::optional<std::string> Judge(const std::vector<Heartbeat>& received);

  const std::unique_ptr<HeartbeatTransport> transport_;
  const std::shared_ptr<PhaseBoard> board_;
  const std::shared_ptr<FlightRecorder> recorder_;
  const Options options_;
  const std::function<void(const std::string&)> on_missing_;
  const std::vector<int> peers_;
  MissingRankDetector detector_;    // Used by the thread that ticks.
  std::vector<bool> goodbye_sent_;  // By rank.
  double last_tick_ = -1;           // Negative: none yet.
  double observed_seconds_ = 0;     // Time in which this process was running.

  std::mutex mutex_;
  std::condition_variable changed_;
  bool leaving_ = false;
  bool quit_ = false;  // Without goodbye.
  bool failed_ = false;
  Deadlines deadlines_;
  std::thread thread_;
};

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_WATCHDOG_H_
