#include "launch/stop_signals.h"

#include <atomic>
#include <csignal>

namespace langevin::launch {
namespace {

std::atomic<bool> stop_requested = false;
static_assert(std::atomic<bool>::is_always_lock_free, "used in a signal handler");

void RequestStop(int) { stop_requested.store(true, std::memory_order_relaxed); }

}  // namespace

void InstallStopSignalHandlers() {
  struct sigaction action = {};
  action.sa_handler = RequestStop;
  action.sa_flags = SA_RESTART;  // Reads and writes under way go on as if nothing had happened.
  sigemptyset(&action.sa_mask);
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGUSR1, &action, nullptr);
}

bool StopRequested() { return stop_requested.load(std::memory_order_relaxed); }

}  // namespace langevin::launch
