#include "distributed/phase_board.h"

#include <utility>

#include "core/base/clock.h"

namespace langevin::distributed {

PhaseBoard::PhaseBoard(std::function<double()> clock)
    : clock_(clock ? std::move(clock) : MonotonicSeconds), booked_to_(clock_()) {}

void PhaseBoard::SetPhase(std::string_view phase, int64_t images_seen) {
  {
    const std::lock_guard lock(mutex_);
    Book();
    now_.phase = phase;
    now_.images_seen = images_seen;
  }
  if (hook_) hook_(phase, images_seen);
}

PhaseBoard::Snapshot PhaseBoard::Read() const {
  const std::lock_guard lock(mutex_);
  return now_;
}

void PhaseBoard::BeginWait() {
  const std::lock_guard lock(mutex_);
  Book();
  ++waiting_;
}

void PhaseBoard::EndWait() {
  const std::lock_guard lock(mutex_);
  Book();
  --waiting_;
}

std::vector<PhaseTime> PhaseBoard::TakeTimes() {
  const std::lock_guard lock(mutex_);
  Book();
  return std::exchange(times_, {});
}

void PhaseBoard::Book() {
  const double now = clock_();
  PhaseTime& time = TimeOf(now_.phase);
  (waiting_ > 0 ? time.waiting_s : time.busy_s) += now - booked_to_;
  booked_to_ = now;
}

PhaseTime& PhaseBoard::TimeOf(const std::string& phase) {
  for (PhaseTime& time : times_) {
    if (time.phase == phase) return time;
  }
  return times_.emplace_back(PhaseTime{phase});
}

}  // namespace langevin::distributed
