// Where the threads that stand for ranks meet: each brings a part, and all see all parts.
#ifndef LANGEVIN_DISTRIBUTED_LOCAL_RENDEZVOUS_H_
#define LANGEVIN_DISTRIBUTED_LOCAL_RENDEZVOUS_H_

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace langevin::distributed {

// The n-th Join of one rank meets the n-th Join of every other. Shared by the threads of all ranks;
// each rank's calls come from one thread at a time, Abort from any.
template <typename Part>
class LocalRendezvous {
 public:
  // One meeting. `parts` may be read once Wait has returned OK.
  struct Round {
    uint64_t number = 0;
    std::vector<Part> parts;  // By rank.
    std::vector<bool> arrived;
    int missing = 0;
    bool done = false;
    absl::Status status;
  };

  // `combine` is run once a round, by the thread that comes last.
  LocalRendezvous(int size, double timeout_seconds,
                  std::function<absl::Status(std::vector<Part>&)> combine)
      : size_(size), timeout_seconds_(timeout_seconds), combine_(std::move(combine)) {
    rounds_joined_.resize(size);
  }

  int size() const { return size_; }

  // Leaves `part` and does not wait for the others.
  std::shared_ptr<Round> Join(int rank, Part part) {
    std::unique_lock lock(mutex_);
    const uint64_t number = rounds_joined_[rank]++;
    std::shared_ptr<Round>& slot = rounds_[number];
    if (slot == nullptr) {
      slot = std::make_shared<Round>();
      slot->number = number;
      slot->parts.resize(size_);
      slot->arrived.resize(size_);
      slot->missing = size_;
    }
    const std::shared_ptr<Round> round = slot;
    round->parts[rank] = std::move(part);
    round->arrived[rank] = true;
    if (--round->missing > 0) return round;
    rounds_.erase(number);
    if (broken_.ok()) {
      lock.unlock();  // Nobody else touches a full round that is not done.
      absl::Status status = combine_(round->parts);
      lock.lock();
      round->status = std::move(status);
      if (broken_.ok()) broken_ = round->status;
    } else {
      round->status = broken_;
    }
    round->done = true;
    changed_.notify_all();
    return round;
  }

  // DeadlineExceeded names the ranks that did not come; afterwards every Wait fails.
  absl::Status Wait(const Round& round, const std::string& what) {
    std::unique_lock lock(mutex_);
    const bool ended = changed_.wait_for(lock, std::chrono::duration<double>(timeout_seconds_),
                                         [&] { return round.done || !broken_.ok(); });
    if (round.done) return round.status;
    if (ended) return broken_;
    std::string absent;
    for (int rank = 0; rank < size_; ++rank) {
      if (!round.arrived[rank]) absl::StrAppend(&absent, absent.empty() ? "" : ", ", rank);
    }
    broken_ = absl::DeadlineExceededError(absl::StrCat("rank ", absent, " did not come to ", what,
                                                       " (number ", round.number, ") within ",
                                                       timeout_seconds_, " s"));
    changed_.notify_all();
    return broken_;
  }

  bool IsDone(const Round& round) {
    const std::lock_guard lock(mutex_);
    return round.done;
  }

  // Ends every Wait, now and later, with `status`. The first reason stays.
  void Abort(absl::Status status) {
    const std::lock_guard lock(mutex_);
    if (broken_.ok()) broken_ = std::move(status);
    changed_.notify_all();
  }

 private:
  const int size_;
  const double timeout_seconds_;
  const std::function<absl::Status(std::vector<Part>&)> combine_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<uint64_t> rounds_joined_;                // By rank.
  std::map<uint64_t, std::shared_ptr<Round>> rounds_;  // Those that somebody has yet to join.
  absl::Status broken_;
};

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_LOCAL_RENDEZVOUS_H_
