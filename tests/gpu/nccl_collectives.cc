// Compares every collective of NCCL, on the device of each rank, with what the Local backend gives
// for the same numbers. Under mpirun, one rank a GPU; exits with 0 if all agree.
#include <cstdio>
#include <memory>
#include <vector>

#include "ATen/ATen.h"
#include "distributed/communicator.h"
#include "distributed/torch_errors.h"
#include "launch/make_communicator.h"
#include "launch/mpi_runtime.h"
#include "tests/distributed/collectives_testing.h"
#include "tests/distributed/local_ranks.h"

namespace langevin {
namespace {

using distributed::Communicator;

// What this rank has after each collective, on the CPU. Sums of small integers are exact.
std::vector<at::Tensor> Exchange(Communicator& communicator, int64_t count, at::ScalarType type,
                                 const at::Device& device) {
  const int rank = communicator.rank();
  const int ranks = communicator.size();
  const auto numbers = [&](int64_t length) {
    return distributed::NumbersOfRank(rank, length, type).to(device);
  };
  const at::TensorOptions options = at::TensorOptions().dtype(type).device(device);
  at::Tensor reduced = numbers(count);
  at::Tensor scattered = at::zeros({count}, options);
  at::Tensor gathered = at::zeros({ranks * count}, options);
  at::Tensor exchanged = at::zeros({ranks * count}, options);
  at::Tensor sent = numbers(count);
  for (const std::unique_ptr<distributed::Work>& work :
       {communicator.AllReduce(reduced),
        communicator.ReduceScatter(scattered, numbers(ranks * count)),
        communicator.AllGather(gathered, numbers(count)),
        communicator.AllToAll(exchanged, numbers(ranks * count)),
        communicator.Broadcast(sent, ranks - 1)}) {
    const absl::Status status = work->Wait();
    TORCH_CHECK(status.ok(), std::string(status.message()));
  }
  std::vector<at::Tensor> results;
  for (const at::Tensor& tensor : {reduced, scattered, gathered, exchanged, sent}) {
    results.push_back(tensor.cpu());
  }
  return results;
}

absl::Status Compare(launch::MpiRuntime& runtime) {
  auto made = launch::MakeCommunicator(runtime, launch::CommunicatorKind::kNccl, /*on_device=*/true,
                                       /*timeout_seconds=*/60);
  if (!made.ok()) return made.status();
  Communicator& nccl = **made;
  const at::Device device(at::kCUDA, static_cast<c10::DeviceIndex>(runtime.local_rank()));
  for (const at::ScalarType type : {at::kFloat, at::kDouble, at::kBFloat16}) {
    for (const int64_t count : {1, 1000, 3 << 20}) {
      std::vector<at::Tensor> expected;
      distributed::RunLocalRanks(nccl.size(), [&](Communicator& local) {
        std::vector<at::Tensor> results = Exchange(local, count, type, at::kCPU);
        if (local.rank() == nccl.rank()) expected = std::move(results);
      });
      const std::vector<at::Tensor> got = Exchange(nccl, count, type, device);
      for (size_t i = 0; i < got.size(); ++i) {
        if (at::equal(got[i], expected[i])) continue;
        return absl::InternalError("NCCL and Local differ in collective " + std::to_string(i) +
                                   " of " + std::to_string(count) + " " + c10::toString(type));
      }
    }
  }
  return nccl.Shutdown();
}

int Main() {
  auto runtime = launch::MpiRuntime::Start({.purpose = launch::Purpose::kTool});
  if (!runtime.ok()) return 5;
  const absl::Status status =
      distributed::CatchTorchErrors("nccl_collectives", [&] { return Compare(**runtime); });
  if (!status.ok()) std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
  return (*runtime)->Finish(status);
}

}  // namespace
}  // namespace langevin

int main() { return langevin::Main(); }
