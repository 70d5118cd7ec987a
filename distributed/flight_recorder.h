// The last collectives of this rank: what a person needs to see when a run has hung.
//
// Every collective gets a number, whichever channel it goes through. Since all ranks call the same
// collectives in the same order, a number means the same one on all of them: a rank whose newest
// number is below that of a collective which does not end is the one that the others wait for.
#ifndef LANGEVIN_DISTRIBUTED_FLIGHT_RECORDER_H_
#define LANGEVIN_DISTRIBUTED_FLIGHT_RECORDER_H_

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "distributed/phase_board.h"

namespace langevin::distributed {

// Any thread may make any call; none blocks, and the calls of the training thread cost less than a
// microsecond.
class FlightRecorder {
 public:
  static constexpr size_t kCapacity = 256;

  // A channel carries its collectives out one after the other.
  enum class Channel { kTensors, kControl };
  enum class State { kScheduled, kStarted, kCompleted, kFailed };

  struct Entry {
    uint64_t sequence = 0;  // From 1.
    std::string kind;       // "all_gather".
    int64_t bytes = 0;
    Channel channel = Channel::kTensors;
    State state = State::kScheduled;
    PhaseBoard::Snapshot where;  // When it was scheduled.
    double scheduled_at = 0;     // MonotonicSeconds.
    double changed_at = 0;       // When it came into `state`.
  };

  // What heartbeats tell of it.
  struct Summary {
    uint64_t scheduled = 0;   // The newest number.
    uint64_t under_way = 0;   // The lowest number that has not ended; 0: none.
    std::string kind;         // Of that one.
    int64_t bytes = 0;        // Of that one, where all ranks have the same; else 0.
    uint64_t failed = 0;      // How many.
    bool starting_up = true;  // No collective of tensors has completed so far.
  };

  // `board` is read for the phase; `clock` is for tests.
  explicit FlightRecorder(std::shared_ptr<const PhaseBoard> board,
                          std::function<double()> clock = {});

  // A collective is handed to its channel: gives it its number.
  uint64_t Schedule(std::string_view kind, int64_t bytes, Channel channel = Channel::kTensors);
  // Lets the recorder ask whether the collective has ended. `has_ended` never blocks, may be called
  // by any thread, and is dropped after it has said yes.
  void Watch(uint64_t sequence, std::function<bool()> has_ended);
  // It has ended. Fine to be said again; a failure that is learnt of later counts.
  void End(uint64_t sequence, bool ok);

  Summary Summarize();
  // Those of the last kCapacity that are numbered, oldest first.
  std::vector<Entry> Entries();
  // For a person: a line of totals, then one for each of the newest `count`, oldest first.
  std::string Describe(size_t count);

 private:
  struct Pending {
    uint64_t sequence = 0;
    Channel channel = Channel::kTensors;
    bool started = false;
    std::function<bool()> has_ended;  // Empty: End will say.
  };

  // All require mutex_.
  Entry* Find(uint64_t sequence);  // Null if it has left the ring.
  void Settle(double now);
  void MarkStarted(double now);
  void MarkEnded(const Pending& pending, bool ok, double now);

  const std::shared_ptr<const PhaseBoard> board_;
  const std::function<double()> clock_;
  std::mutex mutex_;
  std::array<Entry, kCapacity> ring_;  // Number n is at n % kCapacity.
  std::deque<Pending> pending_;        // That have not ended, by number.
  uint64_t scheduled_ = 0;
  uint64_t completed_ = 0;
  uint64_t failed_ = 0;
  bool starting_up_ = true;
};

// Records a blocking call while it lives, and that this thread waits. No recorder: nothing.
class ScopedCollective {
 public:
  ScopedCollective(FlightRecorder* recorder, PhaseBoard* board, std::string_view kind,
                   int64_t bytes);
  ~ScopedCollective();
  ScopedCollective(const ScopedCollective&) = delete;
  ScopedCollective& operator=(const ScopedCollective&) = delete;

  // The call has not worked.
  void Fail() { ok_ = false; }

 private:
  FlightRecorder* recorder_;
  uint64_t sequence_ = 0;
  bool ok_ = true;
  ScopedWait wait_;
};

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_FLIGHT_RECORDER_H_
