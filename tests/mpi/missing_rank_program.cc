// A run in small, one of whose ranks comes to grief: see expect_missing_rank.sh.
//
//   missing_rank_program RANK kill|stop|sleep|fail|none
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <thread>

#include "ATen/ops/ones.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "launch/make_communicator.h"
#include "launch/mpi_runtime.h"
#include "launch/stop_signals.h"

namespace langevin {
namespace {

constexpr double kTimeout = 3;

// What happens to the rank at images_seen 320.
absl::Status ComeToGrief(const std::string& how) {
  // Long enough for a heartbeat to tell the others where this rank is.
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));
  if (how == "kill") raise(SIGKILL);
  if (how == "stop") raise(SIGSTOP);
  if (how == "sleep") std::this_thread::sleep_for(std::chrono::hours(1));
  if (how == "fail") return absl::ResourceExhaustedError("no space left on the test's disk");
  return absl::OkStatus();
}

absl::Status Train(launch::MpiRuntime& runtime, int unlucky_rank, const std::string& how) {
  runtime.SetDeadlines(kTimeout, kTimeout);
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<distributed::Communicator> communicator,
                            launch::MakeCommunicator(runtime, launch::CommunicatorKind::kAuto,
                                                     /*on_device=*/false, kTimeout));
  for (int64_t images_seen = 0; images_seen < 640; images_seen += 64) {
    runtime.control().SetPhase("all_reduce", images_seen);
    if (images_seen == 320 && runtime.rank() == unlucky_rank) {
      LANGEVIN_RETURN_IF_ERROR(ComeToGrief(how));
    }
    LANGEVIN_RETURN_IF_ERROR(communicator->AllReduce(at::ones({1000}))->Wait());
    LANGEVIN_ASSIGN_OR_RETURN(const uint64_t stop,
                              runtime.control().CombineFlags(launch::StopRequested()));
    if (stop != 0) break;
  }
  return communicator->Shutdown();
}

int Main(int unlucky_rank, const std::string& how) {
  launch::InstallStopSignalHandlers();
  const auto runtime =
      launch::MpiRuntime::Start({launch::Purpose::kTraining, /*start_seconds=*/30});
  if (!runtime.ok()) {
    LogError("%s", std::string(runtime.status().message()));
    return 5;
  }
  const absl::Status status = Train(**runtime, unlucky_rank, how);
  if (!status.ok()) LogError("%s", std::string(status.message()));
  const bool speaks = (*runtime)->rank() == 0;
  const int size = (*runtime)->size();
  const int code = (*runtime)->Finish(status);
  if (speaks) std::printf("all %d ranks are done\n", size);
  return code;
}

}  // namespace
}  // namespace langevin

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  return langevin::Main(std::atoi(argv[1]), argv[2]);
}
