#include "distributed/nccl_communicator.h"

#include <unistd.h>

#include <chrono>
#include <functional>
#include <utility>
#include <vector>

#include "ATen/cuda/CUDAEvent.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "c10/cuda/CUDAFunctions.h"
#include "c10/cuda/CUDAGuard.h"
#include "c10/cuda/CUDAStream.h"
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

// Something on the communicator's stream. Wait makes the current stream wait for it, never the
// host.
class StreamWork : public Work {
 public:
  // Notes where `stream` is now. `tensors` are kept until then: their memory must not be given to
  // others on the stream that they come from.
  StreamWork(const c10::cuda::CUDAStream& stream, std::vector<at::Tensor> tensors)
      : tensors_(std::move(tensors)) {
    done_.record(stream);
  }

  absl::Status Wait() override {
    return AsUnavailable(CatchTorchErrors("waiting for NCCL", [&] {
      done_.block(c10::cuda::getCurrentCUDAStream());
      tensors_.clear();
      return absl::OkStatus();
    }));
  }

  Progress Poll() override {
    bool ended = true;  // Also if asking fails: the communicator is broken.
    CatchTorchErrors("asking NCCL", [&] {
      ended = done_.query();
      return absl::OkStatus();
    }).IgnoreError();
    return ended ? Progress::kEnded : Progress::kUnderWay;
  }

 private:
  at::cuda::CUDAEvent done_;
  std::vector<at::Tensor> tensors_;
};

class NcclCommunicator : public Communicator {
 public:
  NcclCommunicator(c10::intrusive_ptr<c10d::Store> store,
                   c10::intrusive_ptr<c10d::ProcessGroupNCCL> group, const NcclOptions& options)
      : store_(std::move(store)),
        group_(std::move(group)),
        device_(at::kCUDA, static_cast<c10::DeviceIndex>(options.device_index)),
        stream_(c10::cuda::getStreamFromPool(/*isHighPriority=*/true, device_.index())) {}

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

  std::unique_ptr<Work> Enqueue(std::function<absl::Status()> local) override {
    return OnStream("local work between collectives", {}, std::move(local));
  }

  // The only call that makes the host wait.
  absl::Status Barrier() override {
    c10d::BarrierOptions barrier;
    barrier.device = device_;
    return AsUnavailable(CatchTorchErrors("barrier", [&] {
      group_->barrier(barrier)->wait();
      return absl::OkStatus();
    }));
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
    return OnStream(NameOf(collective.kind), {collective.output, collective.input}, [&] {
      call()->wait();  // stream_ waits for the group's own stream.
      return absl::OkStatus();
    });
  }

  // Everything goes through one stream, which begins when what the caller has submitted is done:
  // that gives the order which Enqueue promises.
  template <typename Submit>
  std::unique_ptr<Work> OnStream(const char* what, std::vector<at::Tensor> tensors,
                                 Submit&& submit) {
    std::unique_ptr<Work> work;
    absl::Status status = CatchTorchErrors(what, [&]() -> absl::Status {
      at::cuda::CUDAEvent ready;
      ready.record(c10::cuda::getCurrentCUDAStream());
      ready.block(stream_);
      const c10::cuda::CUDAStreamGuard guard(stream_);
      LANGEVIN_RETURN_IF_ERROR(submit());
      work = std::make_unique<StreamWork>(stream_, std::move(tensors));
      return absl::OkStatus();
    });
    return status.ok() ? std::move(work) : FinishedWork(AsUnavailable(std::move(status)));
  }

  c10::intrusive_ptr<c10d::Store> store_;  // On rank 0 it serves the others: lives as long as they.
  c10::intrusive_ptr<c10d::ProcessGroupNCCL> group_;
  at::Device device_;
  c10::cuda::CUDAStream stream_;
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
