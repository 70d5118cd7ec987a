#include "distributed/mpi_communicator.h"

#include <omp.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "distributed/mpi_collectives.h"
#include "distributed/mpi_status.h"

namespace langevin::distributed {

// Collectives that wait for the progress thread, and how those before them ended.
class MpiCommunicator::Queue {
 public:
  struct Task {
    Collective collective;
    std::function<absl::Status()> local;  // Instead of a collective.
    bool done = false;
    absl::Status status;
  };

  Queue(std::unique_ptr<MpiCollectives> collectives, Options options)
      : collectives_(std::move(collectives)), options_(std::move(options)) {}

  std::shared_ptr<Task> Add(Collective collective, std::function<absl::Status()> local = nullptr) {
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
    const ScopedWait wait(options_.board.get());
    const double limit = any_finished_ ? options_.timeout_seconds : 2 * options_.timeout_seconds;
    const bool ended = changed_.wait_for(lock, std::chrono::duration<double>(limit),
                                         [&] { return task.done || !broken_.ok(); });
    if (task.done) return task.status;
    if (ended) return broken_;
    broken_ = absl::DeadlineExceededError(
        absl::StrCat(task.collective.Description(), " did not end within ", limit, " s"));
    changed_.notify_all();
    return broken_;
  }

  void Break(absl::Status status) {
    const std::lock_guard lock(mutex_);
    if (broken_.ok()) broken_ = std::move(status);
    changed_.notify_all();
  }

  // The progress thread's whole life.
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
        status = task->local ? task->local() : collectives_->Run(task->collective);
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

  // Lets Run return once the queue is empty. False if it is inside a call of MPI that may never
  // return.
  bool Stop() {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
    return broken_.ok() || !running_;
  }

  absl::Status Shutdown() { return collectives_->Shutdown(); }

 private:
  const std::unique_ptr<MpiCollectives> collectives_;  // Used by the progress thread.
  const Options options_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Task>> tasks_;
  bool running_ = false;
  bool stopping_ = false;
  bool any_finished_ = false;
  absl::Status broken_;  // Why no more collectives are possible.
};

class MpiCommunicator::QueuedWork : public Work {
 public:
  QueuedWork(std::shared_ptr<Queue> queue, std::shared_ptr<Queue::Task> task)
      : queue_(std::move(queue)), task_(std::move(task)) {}

  absl::Status Wait() override { return queue_->Wait(*task_); }

 private:
  std::shared_ptr<Queue> queue_;
  std::shared_ptr<Queue::Task> task_;
};

absl::StatusOr<std::unique_ptr<MpiCommunicator>> MpiCommunicator::Create(MPI_Comm parent,
                                                                         Options options) {
  LANGEVIN_ASSIGN_OR_RETURN(const MPI_Comm comm, DuplicateMpiComm(parent));
  LANGEVIN_ASSIGN_OR_RETURN(std::unique_ptr<MpiCollectives> collectives,
                            MpiCollectives::Create(comm));
  auto queue = std::make_shared<Queue>(std::move(collectives), std::move(options));
  return std::unique_ptr<MpiCommunicator>(new MpiCommunicator(comm, std::move(queue)));
}

MpiCommunicator::MpiCommunicator(MPI_Comm comm, std::shared_ptr<Queue> queue)
    : comm_(comm), queue_(std::move(queue)) {
  MPI_Comm_rank(comm_, &rank_);
  MPI_Comm_size(comm_, &size_);
  progress_ = std::thread([queue = queue_] { queue->Run(); });
}

MpiCommunicator::~MpiCommunicator() {
  if (!progress_.joinable()) return;
  // Without Shutdown something has failed: what is queued must not be started any more.
  queue_->Break(absl::AbortedError("the communicator is gone"));
  if (queue_->Stop()) {
    progress_.join();
  } else {
    progress_.detach();
  }
}

std::unique_ptr<Work> MpiCommunicator::Start(Collective collective) {
  if (absl::Status status = CheckCollective(collective, size_); !status.ok()) {
    queue_->Break(status);
    return FinishedWork(std::move(status));
  }
  return std::make_unique<QueuedWork>(queue_, queue_->Add(std::move(collective)));
}

std::unique_ptr<Work> MpiCommunicator::AllReduce(at::Tensor tensor) {
  return Start({CollectiveKind::kAllReduce, std::move(tensor), {}});
}

std::unique_ptr<Work> MpiCommunicator::ReduceScatter(at::Tensor output, at::Tensor input) {
  return Start({CollectiveKind::kReduceScatter, std::move(output), std::move(input)});
}

std::unique_ptr<Work> MpiCommunicator::AllGather(at::Tensor output, at::Tensor input) {
  return Start({CollectiveKind::kAllGather, std::move(output), std::move(input)});
}

std::unique_ptr<Work> MpiCommunicator::AllToAll(at::Tensor output, at::Tensor input) {
  return Start({CollectiveKind::kAllToAll, std::move(output), std::move(input)});
}

std::unique_ptr<Work> MpiCommunicator::Broadcast(at::Tensor tensor, int root) {
  return Start({CollectiveKind::kBroadcast, std::move(tensor), {}, root});
}

std::unique_ptr<Work> MpiCommunicator::Enqueue(std::function<absl::Status()> local) {
  return std::make_unique<QueuedWork>(queue_, queue_->Add({}, std::move(local)));
}

absl::Status MpiCommunicator::Barrier() { return Start({CollectiveKind::kBarrier})->Wait(); }

void MpiCommunicator::Abort(std::string_view reason) {
  queue_->Break(
      absl::AbortedError(absl::StrCat("rank ", rank_, " gave up: ", std::string(reason))));
}

absl::Status MpiCommunicator::Shutdown() {
  LANGEVIN_RETURN_IF_ERROR(Barrier());
  queue_->Stop();
  progress_.join();
  LANGEVIN_RETURN_IF_ERROR(queue_->Shutdown());
  return MpiStatus(MPI_Comm_free(&comm_), "MPI_Comm_free");
}

}  // namespace langevin::distributed
