// Ends the process if something that cannot be interrupted takes too long.
#ifndef LANGEVIN_LAUNCH_DEADLINE_H_
#define LANGEVIN_LAUNCH_DEADLINE_H_

#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>

namespace langevin::launch {

// While it lives, a thread waits; after `seconds` that thread logs `message` as an error and ends
// the process with `exit_code`, running no destructors. Destruction calls it off.
class Deadline {
 public:
  Deadline(double seconds, std::string message, int exit_code);
  ~Deadline();
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool called_off_ = false;
  std::thread thread_;
};

}  // namespace langevin::launch

#endif  // LANGEVIN_LAUNCH_DEADLINE_H_
