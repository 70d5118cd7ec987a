#include "distributed/fake_communicator.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace langevin::distributed {

void CollectiveRecord::Add(const Collective& collective) {
  RecordedCollective entry{.kind = collective.kind};
  for (const at::Tensor* tensor : {&collective.output, &collective.input}) {
    if (tensor->defined()) {
      entry.bytes = std::max(entry.bytes, static_cast<int64_t>(tensor->nbytes()));
    }
  }
  if (!entries_.empty() && entries_.back().kind == entry.kind &&
      entries_.back().bytes == entry.bytes) {
    ++entries_.back().count;
  } else {
    entries_.push_back(entry);
  }
}

int64_t CollectiveRecord::TotalBytes() const {
  int64_t total = 0;
  for (const RecordedCollective& entry : entries_) total += entry.bytes * entry.count;
  return total;
}

std::unique_ptr<Work> FakeCommunicator::Note(const Collective& collective) {
  if (broken_.ok()) broken_ = CheckCollective(collective, size_);
  if (broken_.ok()) record_.Add(collective);
  return FinishedWork(broken_);
}

std::unique_ptr<Work> FakeCommunicator::AllReduce(at::Tensor tensor) {
  return Note({CollectiveKind::kAllReduce, std::move(tensor), {}});
}

std::unique_ptr<Work> FakeCommunicator::ReduceScatter(at::Tensor output, at::Tensor input) {
  return Note({CollectiveKind::kReduceScatter, std::move(output), std::move(input)});
}

std::unique_ptr<Work> FakeCommunicator::AllGather(at::Tensor output, at::Tensor input) {
  return Note({CollectiveKind::kAllGather, std::move(output), std::move(input)});
}

std::unique_ptr<Work> FakeCommunicator::AllToAll(at::Tensor output, at::Tensor input) {
  return Note({CollectiveKind::kAllToAll, std::move(output), std::move(input)});
}

std::unique_ptr<Work> FakeCommunicator::Broadcast(at::Tensor tensor, int root) {
  return Note({CollectiveKind::kBroadcast, std::move(tensor), {}, root});
}

std::unique_ptr<Work> FakeCommunicator::Enqueue(std::function<absl::Status()>) {
  return FinishedWork(broken_);
}

absl::Status FakeCommunicator::Barrier() { return Note({CollectiveKind::kBarrier})->Wait(); }

void FakeCommunicator::Abort(std::string_view reason) {
  if (broken_.ok()) {
    broken_ = absl::AbortedError(absl::StrCat("rank ", rank_, " gave up: ", std::string(reason)));
  }
}

}  // namespace langevin::distributed
