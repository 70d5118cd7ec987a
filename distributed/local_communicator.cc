#include "distributed/local_communicator.h"

#include <string>
#include <utility>

#include "ATen/ops/zeros.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "distributed/torch_errors.h"

namespace langevin::distributed {
namespace {

using Rendezvous = LocalRendezvous<Collective>;

at::Tensor Slice(const at::Tensor& tensor, int index, int count) {
  const int64_t length = tensor.numel() / count;
  return tensor.view({-1}).narrow(0, index * length, length);
}

// The sum over ranks of what `pick` takes from each, in rank order.
template <typename Pick>
at::Tensor Sum(const std::vector<Collective>& parts, Pick&& pick) {
  const at::Tensor first = pick(parts[0]);
  const bool is_narrow = first.scalar_type() == at::kBFloat16;
  at::Tensor sum = first.to(is_narrow ? at::kFloat : first.scalar_type(), /*non_blocking=*/false,
                            /*copy=*/true);
  for (size_t rank = 1; rank < parts.size(); ++rank) sum.add_(pick(parts[rank]));
  return sum;
}

void Perform(std::vector<Collective>& parts) {
  const int ranks = static_cast<int>(parts.size());
  switch (parts[0].kind) {
    case CollectiveKind::kAllReduce: {
      const at::Tensor sum = Sum(parts, [](const Collective& part) { return part.output; });
      for (const Collective& part : parts) part.output.copy_(sum);
      break;
    }
    case CollectiveKind::kReduceScatter:
      for (int rank = 0; rank < ranks; ++rank) {
        const at::Tensor sum =
            Sum(parts, [&](const Collective& part) { return Slice(part.input, rank, ranks); });
        parts[rank].output.view({-1}).copy_(sum);
      }
      break;
    case CollectiveKind::kAllGather:
      for (const Collective& to : parts) {
        for (int from = 0; from < ranks; ++from) {
          Slice(to.output, from, ranks).copy_(parts[from].input.view({-1}));
        }
      }
      break;
    case CollectiveKind::kAllToAll:
      for (int to = 0; to < ranks; ++to) {
        for (int from = 0; from < ranks; ++from) {
          Slice(parts[to].output, from, ranks).copy_(Slice(parts[from].input, to, ranks));
        }
      }
      break;
    case CollectiveKind::kBroadcast:
      for (int rank = 0; rank < ranks; ++rank) {
        if (rank != parts[0].root) parts[rank].output.copy_(parts[parts[0].root].output);
      }
      break;
    case CollectiveKind::kBarrier:
      break;
  }
}

absl::Status Combine(std::vector<Collective>& parts) {
  const std::string first = parts[0].Description();
  for (size_t rank = 1; rank < parts.size(); ++rank) {
    if (parts[rank].Description() != first) {
      return absl::InternalError(absl::StrCat("the ranks call different collectives: rank 0 ",
                                              first, ", rank ", rank, " ",
                                              parts[rank].Description()));
    }
  }
  return CatchTorchErrors(first.c_str(), [&] {
    Perform(parts);
    return absl::OkStatus();
  });
}

class LocalWork : public Work {
 public:
  LocalWork(std::shared_ptr<Rendezvous> rendezvous, std::shared_ptr<Rendezvous::Round> round,
            CollectiveKind kind)
      : rendezvous_(std::move(rendezvous)), round_(std::move(round)), kind_(kind) {}

  absl::Status Wait() override { return rendezvous_->Wait(*round_, NameOf(kind_)); }
  Progress Poll() override {
    return rendezvous_->IsDone(*round_) ? Progress::kEnded : Progress::kUnderWay;
  }

 private:
  std::shared_ptr<Rendezvous> rendezvous_;
  std::shared_ptr<Rendezvous::Round> round_;
  CollectiveKind kind_;
};

class LocalCommunicator : public Communicator {
 public:
  LocalCommunicator(std::shared_ptr<Rendezvous> rendezvous, int rank)
      : rendezvous_(std::move(rendezvous)), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return rendezvous_->size(); }
  std::string_view backend_name() const override { return "local"; }

  std::unique_ptr<Work> AllReduce(at::Tensor tensor) override {
    return Start({CollectiveKind::kAllReduce, std::move(tensor), {}});
  }
  std::unique_ptr<Work> ReduceScatter(at::Tensor output, at::Tensor input) override {
    return Start({CollectiveKind::kReduceScatter, std::move(output), std::move(input)});
  }
  std::unique_ptr<Work> AllGather(at::Tensor output, at::Tensor input) override {
    return Start({CollectiveKind::kAllGather, std::move(output), std::move(input)});
  }
  std::unique_ptr<Work> AllToAll(at::Tensor output, at::Tensor input) override {
    return Start({CollectiveKind::kAllToAll, std::move(output), std::move(input)});
  }
  std::unique_ptr<Work> Broadcast(at::Tensor tensor, int root) override {
    return Start({CollectiveKind::kBroadcast, std::move(tensor), {}, root});
  }
  // Carried out at once: waits for what was called before.
  std::unique_ptr<Work> Enqueue(std::function<absl::Status()> local) override {
    absl::Status status = last_ == nullptr ? absl::OkStatus() : last_->Wait();
    if (status.ok()) status = local();
    if (!status.ok()) rendezvous_->Abort(status);
    return FinishedWork(std::move(status));
  }
  absl::Status Barrier() override { return Start({CollectiveKind::kBarrier, {}, {}})->Wait(); }

  void Abort(std::string_view reason) override {
    rendezvous_->Abort(
        absl::AbortedError(absl::StrCat("rank ", rank_, " gave up: ", std::string(reason))));
  }
  absl::Status Shutdown() override { return Barrier(); }

 private:
  std::unique_ptr<Work> Start(Collective collective) {
    if (absl::Status status = CheckCollective(collective, size()); !status.ok()) {
      rendezvous_->Abort(status);
      return FinishedWork(std::move(status));
    }
    const CollectiveKind kind = collective.kind;
    LocalWork work(rendezvous_, rendezvous_->Join(rank_, std::move(collective)), kind);
    last_ = std::make_unique<LocalWork>(work);
    return std::make_unique<LocalWork>(std::move(work));
  }

  std::shared_ptr<Rendezvous> rendezvous_;
  int rank_;
  std::unique_ptr<LocalWork> last_;  // The newest collective; null before the first.
};

}  // namespace

LocalGroup::LocalGroup(int size, double timeout_seconds)
    : rendezvous_(std::make_shared<Rendezvous>(size, timeout_seconds, Combine)) {}

std::unique_ptr<Communicator> LocalGroup::MakeCommunicator(int rank) {
  return std::make_unique<LocalCommunicator>(rendezvous_, rank);
}

std::vector<std::unique_ptr<Communicator>> LocalGroup::Make(int size, double timeout_seconds) {
  LocalGroup group(size, timeout_seconds);
  std::vector<std::unique_ptr<Communicator>> communicators;
  for (int rank = 0; rank < size; ++rank) communicators.push_back(group.MakeCommunicator(rank));
  return communicators;
}

}  // namespace langevin::distributed
