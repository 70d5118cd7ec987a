#include "distributed/collective_queue.h"

#include <omp.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <utility>

#include "absl/strings/str_cat.h"
#include "distributed/torch_errors.h"

namespace langevin::distributed {

// Collectives that wait for the thread, and how those before them ended.
class CollectiveQueue::State {
 public:
  struct Task {
    Collective collective;
    std::function<absl::Status()> local;  // Instead of a collective.
    bool done = false;
    absl::Status status;
  };

  State(Runner runner, double timeout_seconds)
      : runner_(std::move(runner)), timeout_seconds_(timeout_seconds) {}

  std::shared_ptr<Task> Add(Collective collective, std::function<absl::Status()> local) {
    auto task = std::make_shared<Task>();
    task->collective = std::move(collective);
    task->local = std::move(local);
    const std::lock_guard lock(mutex_);
    tasks_.push_back(task);
    changed_.notify_all();
    return task;
  }

  absl::Status Wait(const Task& task) {
    std::unique_lock lock(mutex_);
    if (task.done) return task.status;
    const double limit = any_finished_ ? timeout_seconds_ : 2 * timeout_seconds_;
    const bool ended = changed_.wait_for(lock, std::chrono::duration<double>(limit),
                                         [&] { return task.done || !broken_.ok(); });
    if (task.done) return task.status;
    if (ended) return broken_;
    broken_ = absl::DeadlineExceededError(
        absl::StrCat(task.collective.Description(), " did not end within ", limit, " s"));
    changed_.notify_all();
    return broken_;
  }

  bool IsDone(const Task& task) {
    const std::lock_guard lock(mutex_);
    return task.done;
  }

  void Break(absl::Status status) {
    const std::lock_guard lock(mutex_);
    if (broken_.ok()) broken_ = std::move(status);
    changed_.notify_all();
  }

  // The thread's whole life.
  void Run() {
    // Sums run here alone: a team of threads of its own would take the cores from the step.
    omp_set_num_threads(1);
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [&] { return stopping_ || !tasks_.empty(); });
      if (tasks_.empty()) return;
      const std::shared_ptr<Task> task = std::move(tasks_.front());
      tasks_.pop_front();
      absl::Status status = broken_;
      if (status.ok()) {
        running_ = true;
        lock.unlock();
        status = CatchTorchErrors(NameOf(task->collective.kind), [&] {
          return task->local ? task->local() : runner_(task->collective);
        });
        lock.lock();
        running_ = false;
      }
      task->status = status;
      task->done = true;
      // The tensors belong to the caller again.
      task->collective.output.reset();
      task->collective.input.reset();
      task->local = nullptr;
      any_finished_ |= status.ok();
      if (broken_.ok()) broken_ = std::move(status);
      changed_.notify_all();
    }
  }

  // Lets Run return once the queue is empty. False if it is inside a collective that may never
  // return.
  bool Stop() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    return broken_.ok() || !running_;
  }

 private:
  const Runner runner_;  // Used by the thread.
  const double timeout_seconds_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Task>> tasks_;
  bool running_ = false;
  bool stopping_ = false;
  bool any_finished_ = false;
  absl::Status broken_;  // Why no more collectives are possible.
};

class CollectiveQueue::QueuedWork : public Work {
 public:
  QueuedWork(std::shared_ptr<State> state, std::shared_ptr<State::Task> task)
      : state_(std::move(state)), task_(std::move(task)) {}

  absl::Status Wait() override { return state_->Wait(*task_); }
  Progress Poll() override {
    return state_->IsDone(*task_) ? Progress::kEnded : Progress::kUnderWay;
  }

 private:
  std::shared_ptr<State> state_;
  std::shared_ptr<State::Task> task_;
};

CollectiveQueue::CollectiveQueue(Runner runner, double timeout_seconds)
    : state_(std::make_shared<State>(std::move(runner), timeout_seconds)),
      thread_([state = state_] { state->Run(); }) {}

CollectiveQueue::~CollectiveQueue() {
  if (!thread_.joinable()) return;
  Break(absl::AbortedError("the communicator is gone"));
  if (state_->Stop()) {
    thread_.join();
  } else {
    thread_.detach();
  }
}

std::unique_ptr<Work> CollectiveQueue::Add(Collective collective) {
  return std::make_unique<QueuedWork>(state_, state_->Add(std::move(collective), nullptr));
}

std::unique_ptr<Work> CollectiveQueue::Add(std::function<absl::Status()> local) {
  return std::make_unique<QueuedWork>(state_, state_->Add({}, std::move(local)));
}

void CollectiveQueue::Break(absl::Status status) { state_->Break(std::move(status)); }

void CollectiveQueue::Finish() {
  state_->Stop();
  thread_.join();
}

}  // namespace langevin::distributed
