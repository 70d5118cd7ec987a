// Stands for one of any number of ranks in a process that is alone: for dry runs.
//
// It writes down what each collective would carry and completes it at once, leaving the tensors as
// they are. What is planned is so what the code that trains asks for, not what somebody believes it
// asks for. Tensors may be on the meta device, which holds no numbers.
#ifndef LANGEVIN_DISTRIBUTED_FAKE_COMMUNICATOR_H_
#define LANGEVIN_DISTRIBUTED_FAKE_COMMUNICATOR_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "distributed/communicator.h"
#include "distributed/work.h"

namespace langevin::distributed {

// Collectives of one kind and size. `bytes` is the whole tensor: what all ranks' slices make up
// together in all_gather and reduce_scatter, what each rank holds in the others; 0 for a barrier.
struct RecordedCollective {
  CollectiveKind kind = CollectiveKind::kBarrier;
  int64_t bytes = 0;
  int64_t count = 1;

  friend bool operator==(const RecordedCollective&, const RecordedCollective&) = default;
};

// What has been asked for, in order; equal ones in a row are counted. A value.
class CollectiveRecord {
 public:
  void Add(const Collective& collective);
  const std::vector<RecordedCollective>& entries() const { return entries_; }
  int64_t TotalBytes() const;
  void Clear() { entries_.clear(); }

 private:
  std::vector<RecordedCollective> entries_;
};

// One thread. Refuses what the other backends refuse: tensors that do not fit each other.
class FakeCommunicator : public Communicator {
 public:
  // Requires 0 <= rank < size.
  FakeCommunicator(int rank, int size) : rank_(rank), size_(size) {}

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  std::string_view backend_name() const override { return "fake"; }

  std::unique_ptr<Work> AllReduce(at::Tensor tensor) override;
  std::unique_ptr<Work> ReduceScatter(at::Tensor output, at::Tensor input) override;
  std::unique_ptr<Work> AllGather(at::Tensor output, at::Tensor input) override;
  std::unique_ptr<Work> AllToAll(at::Tensor output, at::Tensor input) override;
  std::unique_ptr<Work> Broadcast(at::Tensor tensor, int root) override;
  // Computations of this rank alone are left out: the tensors hold nothing anybody exchanged.
  std::unique_ptr<Work> Enqueue(std::function<absl::Status()> local) override;
  absl::Status Barrier() override;
  void Abort(std::string_view reason) override;
  absl::Status Shutdown() override { return absl::OkStatus(); }

  const CollectiveRecord& record() const { return record_; }
  void ClearRecord() { record_.Clear(); }

 private:
  std::unique_ptr<Work> Note(const Collective& collective);

  int rank_;
  int size_;
  CollectiveRecord record_;
  absl::Status broken_;
};

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_FAKE_COMMUNICATOR_H_
