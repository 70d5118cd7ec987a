// What a rank is doing at this moment, for the others to know should it fall silent.
//
// The training loop writes its phase here, the collectives write when they begin and end to wait
// for other ranks, and the watchdog reads it and sends it around.
#ifndef LANGEVIN_DISTRIBUTED_PHASE_BOARD_H_
#define LANGEVIN_DISTRIBUTED_PHASE_BOARD_H_

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace langevin::distributed {

// Any thread may make any call.
class PhaseBoard {
 public:
  struct Snapshot {
    std::string phase = "start";
    int64_t images_seen = 0;
    bool waiting = false;  // For other ranks, in a collective.
    uint64_t waits = 0;    // How often waiting has begun: tells one wait from the next.
  };

  void SetPhase(std::string_view phase, int64_t images_seen) {
    const std::lock_guard lock(mutex_);
    phase_ = phase;
    images_seen_ = images_seen;
  }

  void BeginWait() {
    const std::lock_guard lock(mutex_);
    ++waits_;
    ++waiting_;
  }

  void EndWait() {
    const std::lock_guard lock(mutex_);
    --waiting_;
  }

  Snapshot Read() const {
    const std::lock_guard lock(mutex_);
    return {phase_, images_seen_, waiting_ > 0, waits_};
  }

 private:
  mutable std::mutex mutex_;
  std::string phase_ = "start";
  int64_t images_seen_ = 0;
  int waiting_ = 0;  // Threads that wait.
  uint64_t waits_ = 0;
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
