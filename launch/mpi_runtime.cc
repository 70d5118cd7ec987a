#include "launch/mpi_runtime.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "core/base/exit_code.h"
#include "core/base/file_system.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "distributed/mpi_control.h"
#include "distributed/mpi_heartbeat.h"
#include "distributed/mpi_status.h"
#include "distributed/watchdog.h"
#include "launch/deadline.h"
#include "launch/fault_injection.h"

namespace langevin::launch {
namespace {

using distributed::MpiStatus;

constexpr int kCommunicationExit = static_cast<int>(ExitCode::kCommunication);

// How long a rank that fails waits before it ends the others, who may be about to say more.
constexpr std::chrono::milliseconds kLastWords{1000};
// The same where a rank is missing, which all have to say: some hear of it a heartbeat later.
constexpr std::chrono::milliseconds kLastWordsOfAll{2000};
// How long it may take to end this process once that is decided: its last words and MPI_Abort.
constexpr double kAbortSeconds = 6;
// After a collective has failed: beyond the time in which a missing rank is found by its silence.
constexpr double kVerdictSeconds = 2;
// Of the flight record, in the log; all of it is in the run folder.
constexpr size_t kCollectivesInLog = 16;

cpu_set_t AffinityMask() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof(mask), &mask) != 0) CPU_SET(0, &mask);
  return mask;
}

std::string HostName() {
  char name[256] = {};
  gethostname(name, sizeof(name) - 1);
  return name;
}

}  // namespace

absl::StatusOr<std::unique_ptr<MpiRuntime>> MpiRuntime::Start(const Options& options) {
  std::unique_ptr<MpiRuntime> runtime(new MpiRuntime);
  LANGEVIN_RETURN_IF_ERROR(runtime->ReadEnvironment(options));
  LANGEVIN_ASSIGN_OR_RETURN(const std::optional<Fault> fault, ReadFault());
  if (runtime->environment_.has_launcher()) {
    LANGEVIN_RETURN_IF_ERROR(runtime->InitializeMpi());
  } else {
    runtime->single_control_ = distributed::MakeSingleProcessControl(runtime->board_);
  }
  if (fault.has_value() && fault->rank == runtime->rank_) {
    runtime->board_->SetHook(MakeFaultHook(*fault));
  }
  if (absl::Status world = CheckWorld(runtime->environment_, runtime->size_, options.purpose);
      !world.ok()) {
    runtime->Shutdown().IgnoreError();  // Alone, so nobody is kept waiting.
    return world;
  }
  return runtime;
}

absl::Status MpiRuntime::ReadEnvironment(const Options& options) {
  environment_ = ReadLaunchEnvironment();
  host_name_ = HostName();
  const cpu_set_t mask = AffinityMask();
  cores_ = CPU_COUNT(&mask);
  if (options.start_seconds > 0) {
    start_seconds_ = options.start_seconds;
  } else if (const char* text = std::getenv("LANGEVIN_START_SECONDS"); text != nullptr) {
    if (!absl::SimpleAtod(text, &start_seconds_) || !(start_seconds_ > 0)) {
      return absl::InvalidArgumentError(
          absl::StrCat("LANGEVIN_START_SECONDS=", text, ": must be a number above 0"));
    }
  }
  return absl::OkStatus();
}

absl::Status MpiRuntime::InitializeMpi() {
  const Deadline deadline(
      start_seconds_,
      absl::StrFormat(
          "MPI did not start within %g s on %s; check that all nodes reach each other "
          "and that mpirun does not run inside srun; if starting takes longer here, set "
          "LANGEVIN_START_SECONDS",
          start_seconds_, host_name_),
      kCommunicationExit);
  int provided = 0;
  LANGEVIN_RETURN_IF_ERROR(MpiStatus(
      MPI_Init_thread(nullptr, nullptr, MPI_THREAD_MULTIPLE, &provided), "MPI_Init_thread"));
  if (provided < MPI_THREAD_MULTIPLE) {
    return absl::UnavailableError(
        "this MPI was built without MPI_THREAD_MULTIPLE; use Debian's Open MPI 4.1 or later");
  }
  uses_mpi_ = true;
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
  SetLogRank(rank_, size_);
  LANGEVIN_RETURN_IF_ERROR(FindLocalRanks());
  LANGEVIN_ASSIGN_OR_RETURN(mpi_control_,
                            distributed::MpiControl::Create(MPI_COMM_WORLD, board_, recorder_));
  return StartWatchdog();
}

absl::Status MpiRuntime::FindLocalRanks() {
  MPI_Comm local = MPI_COMM_NULL;
  LANGEVIN_RETURN_IF_ERROR(MpiStatus(
      MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &local),
      "finding the ranks on this node"));
  MPI_Comm_rank(local, &local_rank_);
  MPI_Comm_size(local, &local_size_);
  const cpu_set_t own = AffinityMask();
  std::vector<cpu_set_t> masks(local_size_);
  const int code =
      MPI_Allgather(&own, sizeof(own), MPI_BYTE, masks.data(), sizeof(own), MPI_BYTE, local);
  MPI_Comm_free(&local);
  LANGEVIN_RETURN_IF_ERROR(MpiStatus(code, "exchanging affinity masks"));
  ranks_on_cores_ =
      static_cast<int>(std::count_if(masks.begin(), masks.end(), [&](const cpu_set_t& mask) {
        cpu_set_t shared;
        CPU_AND(&shared, &mask, &own);
        return CPU_COUNT(&shared) > 0;
      }));
  return absl::OkStatus();
}

MpiRuntime::~MpiRuntime() = default;

int MpiRuntime::ComputeThreads(int configured) const {
  if (configured > 0) return configured;
  const char* text = std::getenv("OMP_NUM_THREADS");
  int wanted = 0;
  if (text != nullptr && absl::SimpleAtoi(text, &wanted) && wanted > 0) return wanted;
  return std::max(1, cores_ / std::max(1, ranks_on_cores_));
}

bool MpiRuntime::HasSpareCores(int threads) const {
  return cores_ >= ranks_on_cores_ * (threads + 1);
}

distributed::ControlChannel& MpiRuntime::control() {
  if (mpi_control_ != nullptr) return *mpi_control_;
  return *single_control_;
}

absl::Status MpiRuntime::StartWatchdog() {
  if (size_ == 1) return absl::OkStatus();
  LANGEVIN_ASSIGN_OR_RETURN(heartbeat_comm_, distributed::DuplicateMpiComm(MPI_COMM_WORLD));
  distributed::Watchdog::Options options;
  options.deadlines = {start_seconds_, start_seconds_};
  silence_seconds_ = start_seconds_;
  watchdog_ = std::make_unique<distributed::Watchdog>(
      std::make_unique<distributed::MpiHeartbeatTransport>(heartbeat_comm_), board_, recorder_,
      options, [this](const std::string& message) {
        LogError("%s", message);
        AbortAll(kCommunicationExit, [&] { TellCollectives(message); });
      });
  watchdog_->Start();
  return absl::OkStatus();
}

void MpiRuntime::SetDeadlines(double silence_seconds, double collective_seconds) {
  if (watchdog_ == nullptr) return;
  silence_seconds_ = silence_seconds;
  watchdog_->SetDeadlines({silence_seconds, collective_seconds});
}

void MpiRuntime::SetFlightFolder(const std::string& folder) {
  const std::lock_guard lock(flight_mutex_);
  flight_folder_ = folder;
}

void MpiRuntime::TellCollectives(const std::string& reason) {
  LogWarning("%s", recorder_->Describe(kCollectivesInLog));
  std::string folder;
  {
    const std::lock_guard lock(flight_mutex_);
    folder = flight_folder_;
  }
  if (folder.empty()) return;
  const std::string path = JoinPath(folder, absl::StrFormat("flight-rank-%05d.txt", rank_));
  const absl::Time now = absl::Now();
  const std::string text =
      absl::StrFormat("rank %d of %d on %s, process %d, at %s\n%s\n%s\n", rank_, size_, host_name_,
                      getpid(), absl::FormatTime(absl::RFC3339_sec, now, absl::UTCTimeZone()),
                      reason, recorder_->Describe(distributed::FlightRecorder::kCapacity));
  if (const absl::Status written = PosixFileSystem().WriteFile(path, text); !written.ok()) {
    LogWarning("%s", std::string(written.message()));
  }
}

void MpiRuntime::AbortAll(int exit_code, const std::function<void()>& last_words) {
  // The disk may hang, and so may MPI_Abort where the network is gone.
  const Deadline deadline(kAbortSeconds, "", exit_code);
  if (last_words) last_words();
  std::this_thread::sleep_for(last_words ? kLastWordsOfAll : kLastWords);
  MPI_Abort(MPI_COMM_WORLD, exit_code);
  _exit(exit_code);
}

int MpiRuntime::Finish(const absl::Status& status) {
  const int exit_code = static_cast<int>(ExitCodeFor(status));
  const bool is_clean = status.ok() || absl::IsCancelled(status);
  if (!is_clean && size_ > 1 && !finalized_) {
    // A connection breaks before its silence shows which rank is gone. The watchdog, which will
    // know, then ends the process.
    if (exit_code == kCommunicationExit && recorder_->Summarize().failed > 0) {
      std::this_thread::sleep_for(
          std::chrono::duration<double>(silence_seconds_ + kVerdictSeconds));
    }
    AbortAll(exit_code);
  }
  if (const absl::Status end = Shutdown(); !end.ok()) {
    LogError("%s", std::string(end.message()));
    if (size_ > 1) AbortAll(kCommunicationExit);
    return is_clean ? kCommunicationExit : exit_code;
  }
  return exit_code;
}

absl::Status MpiRuntime::Shutdown() {
  if (!uses_mpi_ || finalized_) return absl::OkStatus();
  // As long as it takes the slowest rank to come here; the watchdog ends that wait if one is gone.
  if (watchdog_ != nullptr) {
    LANGEVIN_RETURN_IF_ERROR(watchdog_->Stop());
    watchdog_.reset();
    LANGEVIN_RETURN_IF_ERROR(MpiStatus(MPI_Comm_free(&heartbeat_comm_), "MPI_Comm_free"));
  }
  const Deadline deadline(
      start_seconds_,
      absl::StrFormat("MPI did not end within %g s; all work was done before", start_seconds_),
      kCommunicationExit);
  if (mpi_control_ != nullptr) LANGEVIN_RETURN_IF_ERROR(mpi_control_->Shutdown());
  finalized_ = true;
  return MpiStatus(MPI_Finalize(), "MPI_Finalize");
}

}  // namespace langevin::launch
