#include "tools/bench_collectives.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "ATen/ATen.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/clock.h"
#include "core/base/status_macros.h"
#include "distributed/gradient_reducer.h"
#include "distributed/network_model.h"
#include "tools/bench_report.h"
#include "tools/compute_on_ranks.h"

namespace langevin::tools {
namespace {

using distributed::Communicator;

constexpr int kWarmup = 3;

// Carries a collective out on `count` float32 numbers, which all ranks' slices make up together.
using Carry = std::function<absl::Status(Communicator&, const at::Tensor& a, const at::Tensor& b)>;

struct Kind {
  std::string name;
  Carry carry;
};

std::vector<Kind> Kinds() {
  return {
      {"all_reduce", [](Communicator& communicator, const at::Tensor& a,
                        const at::Tensor&) { return communicator.AllReduce(a)->Wait(); }},
      {"all_gather",
       [](Communicator& communicator, const at::Tensor& a, const at::Tensor&) {
         const int64_t slice = a.numel() / communicator.size();
         return communicator.AllGather(a, a.narrow(0, communicator.rank() * slice, slice))->Wait();
       }},
      {"all_to_all", [](Communicator& communicator, const at::Tensor& a,
                        const at::Tensor& b) { return communicator.AllToAll(a, b)->Wait(); }},
      {"ordered", [](Communicator& communicator, const at::Tensor& a, const at::Tensor&) {
         distributed::GradientReducer reducer(communicator, distributed::Reduction::kOrdered,
                                              communicator.size());
         LANGEVIN_RETURN_IF_ERROR(reducer.Accumulate(a));
         return reducer.Finish().status();
       }}};
}

// The median of this rank.
absl::StatusOr<double> TimeOnRank(Communicator& communicator, const Kind& kind, const at::Tensor& a,
                                  const at::Tensor& b, int repetitions) {
  std::vector<double> times;
  for (int i = 0; i < kWarmup + repetitions; ++i) {
    LANGEVIN_RETURN_IF_ERROR(communicator.Barrier());
    const double begin = MonotonicSeconds();
    LANGEVIN_RETURN_IF_ERROR(kind.carry(communicator, a, b));
    if (!a.is_cpu()) a[0].item();  // Waits for the device.
    if (i >= kWarmup) times.push_back(MonotonicSeconds() - begin);
  }
  return Median(times);
}

absl::StatusOr<double> LargestOfRanks(launch::MpiRuntime& runtime, double mine) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> all,
                            runtime.control().AllGather(absl::StrFormat("%.17g", mine)));
  double largest = 0;
  for (const std::string& text : all) {
    double value = 0;
    if (absl::SimpleAtod(text, &value)) largest = std::max(largest, value);
  }
  return largest;
}

absl::Status MeasureKind(const CollectivesBenchOptions& options, launch::MpiRuntime& runtime,
                         Communicator& communicator, const at::Device& device, const Kind& kind) {
  const int ranks = communicator.size();
  nlohmann::ordered_json head = {{"bench", "collectives"},
                                 {"kind", kind.name},
                                 {"backend", std::string(communicator.backend_name())},
                                 {"ranks", ranks},
                                 {"ranks_per_host", runtime.local_size()}};
  std::vector<std::pair<int64_t, double>> times;
  for (int64_t wanted = options.min_bytes; wanted <= options.max_bytes; wanted *= 4) {
    const int64_t count = std::max<int64_t>(wanted / (4 * ranks), 1) * ranks;
    const int64_t bytes = 4 * count;
    const at::TensorOptions floats = at::TensorOptions().dtype(at::kFloat).device(device);
    const at::Tensor a = at::zeros({count}, floats);
    const at::Tensor b = at::zeros({count}, floats);
    LANGEVIN_ASSIGN_OR_RETURN(const double own,
                              TimeOnRank(communicator, kind, a, b, options.repetitions));
    LANGEVIN_ASSIGN_OR_RETURN(const double seconds, LargestOfRanks(runtime, own));
    times.emplace_back(bytes, seconds);
    if (runtime.rank() != 0) continue;
    nlohmann::ordered_json line = head;
    line["bytes"] = bytes;
    line["median_us"] = Rounded(seconds * 1e6);
    line["mib_per_s"] = Rounded(static_cast<double>(bytes) / seconds / (1 << 20));
    PrintJsonLine(line);
  }
  if (runtime.rank() != 0 || times.size() < 2) return absl::OkStatus();
  const distributed::AlphaBeta fit = distributed::FitAlphaBeta(times, ranks);
  double worst = 0;
  for (const auto& [bytes, seconds] : times) {
    const double fitted = fit.alpha_s + static_cast<double>(bytes) / fit.bytes_per_s;
    worst = std::max(worst, std::abs(fitted / seconds - 1));
  }
  head["alpha_us"] = Rounded(fit.alpha_s * 1e6);
  head["bytes_per_s"] = std::round(fit.bytes_per_s);
  head["largest_error"] = Rounded(worst);
  PrintJsonLine(head);
  return absl::OkStatus();
}

}  // namespace

absl::Status BenchCollectives(const CollectivesBenchOptions& options, launch::MpiRuntime& runtime) {
  if (runtime.size() < 2) {
    return absl::InvalidArgumentError(
        "bench collectives needs at least two ranks; start it with: mpirun -n 2 langevin bench "
        "collectives");
  }
  LANGEVIN_ASSIGN_OR_RETURN(const at::Device device,
                            ChooseDevice(runtime, configs::Backend::kAuto));
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<Communicator> communicator,
                            launch::MakeCommunicator(runtime, launch::CommunicatorKind::kAuto,
                                                     device.is_cuda(), /*timeout_seconds=*/60));
  for (const Kind& kind : Kinds()) {
    LANGEVIN_RETURN_IF_ERROR(MeasureKind(options, runtime, *communicator, device, kind));
  }
  return communicator->Shutdown();
}

}  // namespace langevin::tools
