#include "tests/testing/lockstep_group.h"

#include <condition_variable>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"

namespace langevin {
namespace {

// Whose turn it is, and what was gathered so far.
class Circle {
 public:
  explicit Circle(int ranks) : gone_(ranks), rounds_(ranks) {}

  int size() const { return static_cast<int>(gone_.size()); }

  void Begin(int rank) {
    std::unique_lock<std::mutex> lock(mutex_);
    WaitForTurn(rank, lock);
  }

  void End(int rank) {
    std::unique_lock<std::mutex> lock(mutex_);
    gone_[rank] = true;
    PassTurn(rank);
  }

  absl::StatusOr<std::vector<std::string>> AllGather(int rank, const std::string& text) {
    std::unique_lock<std::mutex> lock(mutex_);
    const int round = rounds_[rank]++;
    texts_[round][rank] = text;
    PassTurn(rank);
    // Once round the circle: then every other rank has added its text or is gone.
    WaitForTurn(rank, lock);
    std::vector<std::string> gathered;
    for (int other = 0; other < size(); ++other) {
      const auto found = texts_[round].find(other);
      if (found == texts_[round].end()) {
        return absl::UnavailableError(absl::StrCat("rank ", other, " is gone"));
      }
      gathered.push_back(found->second);
    }
    return gathered;
  }

 private:
  void WaitForTurn(int rank, std::unique_lock<std::mutex>& lock) {
    turned_.wait(lock, [this, rank] { return turn_ == rank; });
  }

  void PassTurn(int rank) {
    for (int step = 1; step <= size(); ++step) {
      turn_ = (rank + step) % size();
      if (!gone_[turn_]) break;
    }
    turned_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable turned_;
  int turn_ = 0;
  std::vector<bool> gone_;
  std::vector<int> rounds_;
  std::map<int, std::map<int, std::string>> texts_;
};

class LockstepGroup : public Group {
 public:
  LockstepGroup(Circle& circle, int rank) : circle_(circle), rank_(rank) {}
  int rank() const override { return rank_; }
  int size() const override { return circle_.size(); }
  absl::StatusOr<std::vector<std::string>> AllGather(const std::string& text) override {
    return circle_.AllGather(rank_, text);
  }

 private:
  Circle& circle_;
  const int rank_;
};

}  // namespace

std::vector<absl::Status> RunInLockstep(int ranks,
                                        const std::function<absl::Status(Group& group)>& work) {
  Circle circle(ranks);
  std::vector<absl::Status> results(ranks);
  std::vector<std::thread> threads;
  threads.reserve(ranks);
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&circle, &results, &work, rank] {
      LockstepGroup group(circle, rank);
      circle.Begin(rank);
      results[rank] = work(group);
      circle.End(rank);
    });
  }
  for (std::thread& thread : threads) thread.join();
  return results;
}

}  // namespace langevin
