#include "distributed/nccl_communicator.h"

#include <unistd.h>

#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "c10/cuda/CUDAFunctions.h"
#include "core/base/status_macros.h"
#include "distributed/torch_errors.h"
#include "distributed/work.h"
#include "torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp"
#include "torch/csrc/distributed/c10d/TCPStore.hpp"

namespace langevin::distributed {
namespace {

std::chrono::milliseconds Milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<int64_t>(seconds * 1000));
}

// Whatever NCCL reports means that a rank or the network is gone.
absl::Status AsUnavailable(absl::Status status) {
  if (status.code() != absl::StatusCode::kInternal) return status;
  return absl::UnavailableError(std::string(status.message()));
}

class NcclWork : public Work {
 public:
  NcclWork(c10::intrusive_ptr<c10d::Work> work, CollectiveKind kind)
      : work_(std::move(work)), kind_(kind) {}

  absl::Status Wait() override {
    if (waited_) return status_;
    waited_ = true;
    status_ = AsUnavailable(CatchTorchErrors(NameOf(kind_), [&]() -> absl::Status {
      work_->wait();
      return absl::OkStatus();
    }));
    return status_;
  }

  Progress Poll() override {
    bool ended = true;  // Also if asking fails: the communicator is broken.
    CatchTorchErrors(NameOf(kind_), [&] {
      ended = work_->isCompleted();
      return absl::OkStatus();
    }).IgnoreError();
    return ended ? Progress::kEnded : Progress::kUnderWay;
  }

 private:
  c10::intrusive_ptr<c10d::Work> work_;
  CollectiveKind kind_;
  bool waited_ = false;
  absl::Status status_;
};

class NcclCommunicator : public Communicator {
 public:
  NcclCommunicator(c10::intrusive_ptr<c10d::Store> store,
                   c10::intrusive_ptr<c10d::ProcessGroupNCCL> group, const NcclOptions& options)
      : store_(std::move(store)),
        group_(std::move(group)),
        device_(at::kCUDA, static_cast<c10::DeviceIndex>(options.device_index)) {}

  int rank() const override { return group_->getRank(); }
  int size() const override { return group_->getSize(); }
  std::string_view backend_name() const override { return "nccl"; }

  std::unique_ptr<Work> AllReduce(at::Tensor tensor) override {
    return Start({CollectiveKind::kAllReduce, tensor, {}}, [&] {
      std::vector<at::Tensor> tensors = {tensor};
      return group_->allreduce(tensors);
    });
  }

  std::unique_ptr<Work> ReduceScatter(at::Tensor output, at::Tensor input) override {
    return Start({CollectiveKind::kReduceScatter, output, input},
                 [&] { return group_->_reduce_scatter_base(output, input); });
  }

  std::unique_ptr<Work> AllGather(at::Tensor output, at::Tensor input) override {
    return Start({CollectiveKind::kAllGather, output, input},
                 [&] { return group_->_allgather_base(output, input); });
  }

  std::unique_ptr<Work> AllToAll(at::Tensor output, at::Tensor input) override {
    return Start({CollectiveKind::kAllToAll, output, input}, [&] {
      std::vector<int64_t> equal_slices;  // Empty means just that.
      at::Tensor flat_output = output.view({-1});
      at::Tensor flat_input = input.view({-1});
      return group_->alltoall_base(flat_output, flat_input, equal_slices, equal_slices);
    });
  }

  std::unique_ptr<Work> Broadcast(at::Tensor tensor, int root) override {
    return Start({CollectiveKind::kBroadcast, tensor, {}, root}, [&] {
      std::vector<at::Tensor> tensors = {tensor};
      c10d::BroadcastOptions broadcast;
      broadcast.rootRank = root;
      return group_->broadcast(tensors, broadcast);
    });
  }

  absl::Status Barrier() override {
    c10d::BarrierOptions barrier;
    barrier.device = device_;
    return Start({CollectiveKind::kBarrier}, [&] { return group_->barrier(barrier); })->Wait();
  }

  void Abort(std::string_view) override {
    // What the group throws while it is being torn down tells nothing new.
    CatchTorchErrors("abort", [&] {
      group_->abort();
      return absl::OkStatus();
    }).IgnoreError();
  }

  absl::Status Shutdown() override {
    LANGEVIN_RETURN_IF_ERROR(Barrier());
    return AsUnavailable(CatchTorchErrors("shutting NCCL down", [&] {
      group_->shutdown();
      return absl::OkStatus();
    }));
  }

 private:
  template <typename Call>
  std::unique_ptr<Work> Start(const Collective& collective, Call&& call) {
    if (absl::Status status = CheckCollective(collective, size()); !status.ok()) {
      return FinishedWork(std::move(status));
    }
    std::unique_ptr<Work> work;
    absl::Status status = CatchTorchErrors(NameOf(collective.kind), [&] {
      work = std::make_unique<NcclWork>(call(), collective.kind);
      return absl::OkStatus();
    });
    return status.ok() ? std::move(work) : FinishedWork(AsUnavailable(std::move(status)));
  }

  c10::intrusive_ptr<c10d::Store> store_;  // On rank 0 it serves the others: lives as long as they.
  c10::intrusive_ptr<c10d::ProcessGroupNCCL> group_;
  at::Device device_;
};

// The store on rank 0, and connections to it. Its port is the system's choice.
absl::StatusOr<c10::intrusive_ptr<c10d::Store>> MeetAtStore(const NcclOptions& options) {
  c10d::TCPStoreOptions store_options;
  store_options.timeout = Milliseconds(options.timeout_seconds);
  store_options.waitWorkers = false;
  c10::intrusive_ptr<c10d::TCPStore> store;
  std::string address;
  absl::Status status;
  if (options.rank == 0) {
    char host[256] = {};
    gethostname(host, sizeof(host) - 1);
    store_options.isServer = true;
    store_options.port = 0;
    status = CatchTorchErrors("opening the store at which the ranks meet", [&] {
      store = c10::make_intrusive<c10d::TCPStore>(host, store_options);
      address = absl::StrCat(host, " ", store->getPort());
      return absl::OkStatus();
    });
  }
  // Also after an error, so that no rank waits for the address.
  LANGEVIN_ASSIGN_OR_RETURN(const std::string agreed, options.broadcast(address));
  LANGEVIN_RETURN_IF_ERROR(AsUnavailable(status));
  if (options.rank == 0) return store;
  const std::vector<std::string> parts = absl::StrSplit(agreed, ' ');
  int port = 0;
  if (parts.size() != 2 || !absl::SimpleAtoi(parts[1], &port)) {
    return absl::UnavailableError("rank 0 could not open the store at which the ranks meet");
  }
  store_options.port = static_cast<uint16_t>(port);
  LANGEVIN_RETURN_IF_ERROR(AsUnavailable(
      CatchTorchErrors("reaching the store of rank 0; can this node resolve its name?", [&] {
        store = c10::make_intrusive<c10d::TCPStore>(parts[0], store_options);
        return absl::OkStatus();
      })));
  return store;
}

}  // namespace

int CountCudaDevices() { return c10::cuda::device_count(); }

absl::StatusOr<std::unique_ptr<Communicator>> MakeNcclCommunicator(const NcclOptions& options) {
  LANGEVIN_ASSIGN_OR_RETURN(c10::intrusive_ptr<c10d::Store> store, MeetAtStore(options));
  std::unique_ptr<Communicator> communicator;
  LANGEVIN_RETURN_IF_ERROR(AsUnavailable(CatchTorchErrors("starting NCCL", [&]() -> absl::Status {
    if (options.device_index >= CountCudaDevices()) {
      return absl::UnavailableError(
          absl::StrCat("rank ", options.rank, " is to use CUDA device ", options.device_index,
                       ", but this node "
                       "shows ",
                       CountCudaDevices(), "; start no more ranks on a node than it has devices"));
    }
    c10::cuda::set_device(static_cast<c10::DeviceIndex>(options.device_index));
    auto group_options = c10d::ProcessGroupNCCL::Options::create(/*is_high_priority_stream=*/true);
    group_options->timeout = Milliseconds(options.timeout_seconds);
    auto group = c10::make_intrusive<c10d::ProcessGroupNCCL>(store, options.rank, options.size,
                                                             group_options);
    communicator = std::make_unique<NcclCommunicator>(store, std::move(group), options);
    return absl::OkStatus();
  })));
  return communicator;
}

}  // namespace langevin::distributed
