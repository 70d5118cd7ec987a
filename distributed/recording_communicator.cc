#include "distributed/recording_communicator.h"

#include <functional>
#include <string>
#include <utility>

#include "distributed/work.h"

namespace langevin::distributed {
namespace {

int64_t BytesOf(const at::Tensor& tensor) {
  return tensor.defined() ? static_cast<int64_t>(tensor.nbytes()) : 0;
}

class RecordedWork : public Work {
 public:
  RecordedWork(std::shared_ptr<Work> inner, std::shared_ptr<FlightRecorder> recorder,
               std::shared_ptr<PhaseBoard> board, uint64_t sequence)
      : inner_(std::move(inner)),
        recorder_(std::move(recorder)),
        board_(std::move(board)),
        sequence_(sequence) {
    if (inner_->Poll() == Progress::kUnknown) return;  // Wait will say.
    recorder_->Watch(sequence_, [inner = inner_] { return inner->Poll() == Progress::kEnded; });
  }

  absl::Status Wait() override {
    absl::Status status;
    {
      const ScopedWait wait(board_.get());
      status = inner_->Wait();
    }
    // On a device Wait may return before the collective has ended; then the recorder will ask.
    if (!status.ok() || inner_->Poll() != Progress::kUnderWay) {
      recorder_->End(sequence_, status.ok());
    }
    return status;
  }

  Progress Poll() override { return inner_->Poll(); }

 private:
  std::shared_ptr<Work> inner_;  // Shared with the recorder until it has ended.
  std::shared_ptr<FlightRecorder> recorder_;
  std::shared_ptr<PhaseBoard> board_;
  uint64_t sequence_;
};

class RecordingCommunicator : public Communicator {
 public:
  RecordingCommunicator(std::unique_ptr<Communicator> inner,
                        std::shared_ptr<FlightRecorder> recorder, std::shared_ptr<PhaseBoard> board)
      : inner_(std::move(inner)), recorder_(std::move(recorder)), board_(std::move(board)) {}

  int rank() const override { return inner_->rank(); }
  int size() const override { return inner_->size(); }
  std::string_view backend_name() const override { return inner_->backend_name(); }
  bool advises_overlap() const override { return inner_->advises_overlap(); }

  std::unique_ptr<Work> AllReduce(at::Tensor tensor) override {
    return Record(CollectiveKind::kAllReduce, BytesOf(tensor),
                  [&] { return inner_->AllReduce(tensor); });
  }
  std::unique_ptr<Work> ReduceScatter(at::Tensor output, at::Tensor input) override {
    return Record(CollectiveKind::kReduceScatter, BytesOf(input),
                  [&] { return inner_->ReduceScatter(output, input); });
  }
  std::unique_ptr<Work> AllGather(at::Tensor output, at::Tensor input) override {
    return Record(CollectiveKind::kAllGather, BytesOf(output),
                  [&] { return inner_->AllGather(output, input); });
  }
  std::unique_ptr<Work> AllToAll(at::Tensor output, at::Tensor input) override {
    return Record(CollectiveKind::kAllToAll, BytesOf(output),
                  [&] { return inner_->AllToAll(output, input); });
  }
  std::unique_ptr<Work> Broadcast(at::Tensor tensor, int root) override {
    return Record(CollectiveKind::kBroadcast, BytesOf(tensor),
                  [&] { return inner_->Broadcast(tensor, root); });
  }
  // No other rank has a part in it, so there is nothing to tell of it.
  std::unique_ptr<Work> Enqueue(std::function<absl::Status()> local) override {
    return inner_->Enqueue(std::move(local));
  }
  absl::Status Barrier() override {
    return RecordBlocking(NameOf(CollectiveKind::kBarrier), [&] { return inner_->Barrier(); });
  }
  absl::Status Shutdown() override {
    return RecordBlocking("shutdown", [&] { return inner_->Shutdown(); });
  }
  void Abort(std::string_view reason) override { inner_->Abort(reason); }

 private:
  template <typename Call>
  std::unique_ptr<Work> Record(CollectiveKind kind, int64_t bytes, Call&& call) {
    const uint64_t sequence = recorder_->Schedule(NameOf(kind), bytes);
    return std::make_unique<RecordedWork>(call(), recorder_, board_, sequence);
  }

  template <typename Call>
  absl::Status RecordBlocking(std::string_view kind, Call&& call) {
    const uint64_t sequence = recorder_->Schedule(kind, 0);
    const ScopedWait wait(board_.get());
    absl::Status status = call();
    recorder_->End(sequence, status.ok());
    return status;
  }

  const std::unique_ptr<Communicator> inner_;
  const std::shared_ptr<FlightRecorder> recorder_;
  const std::shared_ptr<PhaseBoard> board_;
};

}  // namespace

std::unique_ptr<Communicator> MakeRecordingCommunicator(std::unique_ptr<Communicator> inner,
                                                        std::shared_ptr<FlightRecorder> recorder,
                                                        std::shared_ptr<PhaseBoard> board) {
  return std::make_unique<RecordingCommunicator>(std::move(inner), std::move(recorder),
                                                 std::move(board));
}

}  // namespace langevin::distributed
