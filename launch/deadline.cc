#include "launch/deadline.h"

#include <unistd.h>

#include <chrono>
#include <utility>

#include "core/base/log.h"

namespace langevin::launch {

Deadline::Deadline(double seconds, std::string message, int exit_code) {
  thread_ = std::thread([this, seconds, message = std::move(message), exit_code] {
    std::unique_lock lock(mutex_);
    if (changed_.wait_for(lock, std::chrono::duration<double>(seconds),
                          [&] { return called_off_; })) {
      return;
    }
    if (!message.empty()) LogError("%s", message);
    _exit(exit_code);
  });
}

Deadline::~Deadline() {
  {
    const std::lock_guard lock(mutex_);
    called_off_ = true;
    changed_.notify_all();
  }
  thread_.join();
}

}  // namespace langevin::launch
