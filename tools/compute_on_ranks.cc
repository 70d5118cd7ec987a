#include "tools/compute_on_ranks.h"

#include "ATen/Parallel.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "core/train/run_setup.h"
#include "distributed/agreement.h"
#include "distributed/torch_errors.h"
#include "tools/run_on_ranks.h"

#ifdef LANGEVIN_CUDA
#include "c10/cuda/CUDAFunctions.h"
#endif

namespace langevin::tools {
namespace {

int DeviceCount() {
#ifdef LANGEVIN_CUDA
  return c10::cuda::device_count();
#else
  return 0;
#endif
}

}  // namespace

absl::Status ComputeOnRanks(launch::Purpose purpose,
                            const std::function<absl::Status(launch::MpiRuntime&)>& body) {
  return RunOnRanks(purpose, [&](launch::MpiRuntime& runtime) {
    return distributed::CatchTorchErrors("this rank", [&] { return body(runtime); });
  });
}

absl::StatusOr<at::Device> ChooseDevice(launch::MpiRuntime& runtime, configs::Backend backend) {
  if (backend == configs::Backend::kMpi) return at::Device(at::kCPU);
  const bool has_own_device = runtime.local_rank() < DeviceCount();
  constexpr uint64_t kLacksDevice = 1;
  LANGEVIN_ASSIGN_OR_RETURN(const uint64_t flags,
                            runtime.control().CombineFlags(has_own_device ? 0 : kLacksDevice));
  if (flags == 0) {
    return at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(runtime.local_rank()));
  }
  if (backend == configs::Backend::kNccl) {
    return absl::FailedPreconditionError(absl::StrCat(
        "distributed.backend NCCL: ", runtime.local_size(), " ranks on ", runtime.host_name(),
        " but ", DeviceCount(), " GPUs; start one rank a GPU, or set distributed.backend=MPI"));
  }
  return at::Device(at::kCPU);
}

int ZeroStageHere(const configs::RunConfig& config, const launch::MpiRuntime& runtime,
                  bool on_device) {
  const bool advised = launch::AdvisesOverlap(runtime, on_device, at::get_num_threads());
  return train::ZeroStageOf(config, runtime.size(), config.distributed.overlap.value_or(advised));
}

absl::StatusOr<int> AgreeOnZeroStage(const configs::RunConfig& config, launch::MpiRuntime& runtime,
                                     bool on_device) {
  return distributed::AgreeOnLeast(runtime.control(), ZeroStageHere(config, runtime, on_device));
}

}  // namespace langevin::tools
