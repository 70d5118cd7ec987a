// What a rank is doing at this moment, for the others to know should it fall silent, and how long
// it has been doing what.
//
// The training loop writes its phase here, the collectives write when they begin and end to wait
// for other ranks; the watchdog reads the phase and sends it around, the loop takes the times to
// compare them between ranks.
#ifndef LANGEVIN_DISTRIBUTED_PHASE_BOARD_H_
#define LANGEVIN_DISTRIBUTED_PHASE_BOARD_H_

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace langevin::distributed {

// Seconds spent in one phase.
struct PhaseTime {
  std::string phase;
  double busy_s = 0;
  double waiting_s = 0;  // For other ranks, in a collective.
};

// Any thread may make any call.
class PhaseBoard {
 public:
  struct Snapshot {
    std::string phase = "start";
    int64_t images_seen = 0;
  };
  using Hook = std::function<void(std::string_view phase, int64_t images_seen)>;

  // `clock` gives seconds; empty: MonotonicSeconds.
  explicit PhaseBoard(std::function<double()> clock = {});

  void SetPhase(std::string_view phase, int64_t images_seen);
  Snapshot Read() const;

  void BeginWait();
  void EndWait();

  // The time since the last call (or since the beginning), by phase, in the order in which the
  // phases first came.
  std::vector<PhaseTime> TakeTimes();

  // `hook` is called at the end of every SetPhase, by its thread, and may throw: how tests make a
  // rank come to grief in a phase. Before other threads use the board.
  void SetHook(Hook hook) { hook_ = std::move(hook); }

 private:
  // Books the time since the last call. Requires mutex_.
  void Book();
  PhaseTime& TimeOf(const std::string& phase);

  const std::function<double()> clock_;
  Hook hook_;
  mutable std::mutex mutex_;
  Snapshot now_;
  int waiting_ = 0;       // Threads that wait.
  double booked_to_ = 0;  // On the clock.
  std::vector<PhaseTime> times_;
};

// Says on `board` that this thread waits for other ranks, while it lives. No board: nothing.
class ScopedWait {
 public:
  explicit ScopedWait(PhaseBoard* board) : board_(board) {
    if (board_ != nullptr) board_->BeginWait();
  }
  ~ScopedWait() {
    if (board_ != nullptr) board_->EndWait();
  }
  ScopedWait(const ScopedWait&) = delete;
  ScopedWait& operator=(const ScopedWait&) = delete;

 private:
  PhaseBoard* board_;
};

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_PHASE_BOARD_H_
