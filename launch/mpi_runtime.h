// This process as one of several: starts MPI where there is a launcher, makes the channel through
// which ranks agree, and sees to it that all end together. What carries tensors between them is
// launch/make_communicator.h's.
//
// main makes one, and ends through Finish. Nothing else calls MPI_Init, MPI_Finalize or MPI_Abort.
#ifndef LANGEVIN_LAUNCH_MPI_RUNTIME_H_
#define LANGEVIN_LAUNCH_MPI_RUNTIME_H_

#include <mpi.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "distributed/control.h"
#include "distributed/flight_recorder.h"
#include "distributed/phase_board.h"
#include "launch/launch_environment.h"

namespace langevin::distributed {
class MpiControl;
class Watchdog;
}  // namespace langevin::distributed

namespace langevin::launch {

// Used by the thread that made it.
class MpiRuntime {
 public:
  struct Options {
    Purpose purpose = Purpose::kTool;
    // How long MPI_Init and MPI_Finalize may take before this process ends with exit code 5, and
    // the deadlines until SetDeadlines. Known before the config is read, hence not
    // distributed.timeout_seconds. 0: LANGEVIN_START_SECONDS, or 60.
    double start_seconds = 0;
  };

  // Initialises MPI (MPI_THREAD_MULTIPLE) if mpirun, or srun with PMIx, started this process; else
  // it is a world of one. Tells the log its rank. From here on the ranks watch each other: when one
  // is missing or a collective takes too long (distributed/missing_rank_detector.h), each says
  // which, shows its last collectives, and ends the process with exit code 5, and the world as far
  // as MPI can. Unavailable: see CheckWorld. InvalidArgument: a variable of the environment.
  static absl::StatusOr<std::unique_ptr<MpiRuntime>> Start(const Options& options);
  // Without Finish or Shutdown, MPI is left as it is.
  ~MpiRuntime();

  int rank() const { return rank_; }
  int size() const { return size_; }
  int local_rank() const { return local_rank_; }  // Among the ranks on this node.
  int local_size() const { return local_size_; }
  bool uses_mpi() const { return uses_mpi_; }
  const std::string& host_name() const { return host_name_; }
  const LaunchEnvironment& environment() const { return environment_; }

  // Compute threads of this rank: `configured` if above 0, else OMP_NUM_THREADS, else the cores
  // this process may run on divided by the ranks on this node that may run on any of them; at
  // least 1.
  int ComputeThreads(int configured) const;

  // Whether each rank has a core beside those on which `threads` of its threads compute.
  bool HasSpareCores(int threads) const;

  // The channel for agreements. Made once, lives as long as this.
  distributed::ControlChannel& control();

  // What the watchdog sees of this rank: its phase, and the collectives that it recorded.
  const std::shared_ptr<distributed::PhaseBoard>& board() const { return board_; }
  const std::shared_ptr<distributed::FlightRecorder>& recorder() const { return recorder_; }

  // How long, from now on, a rank may be silent and a collective may be under way.
  void SetDeadlines(double silence_seconds, double collective_seconds);

  // The run folder, once it is there: takes the flight record of a rank that ends because another
  // is missing, as flight-rank-00002.txt.
  void SetFlightFolder(const std::string& folder);

  // Ends this rank's part in the world and returns the exit code for main to return. After OK and
  // Cancelled (stopped early, on all ranks alike): an ordered Shutdown. After an error in a world
  // of several: gives the others a moment to say what they have to say, ends all of them with
  // MPI_Abort, and does not return. The error itself has been printed by main.
  int Finish(const absl::Status& status);

  // The clean end: goodbye to the watchdogs, communicators freed, MPI_Finalize. All ranks together.
  absl::Status Shutdown();

 private:
  MpiRuntime() = default;
  absl::Status ReadEnvironment(const Options& options);
  absl::Status InitializeMpi();
  absl::Status FindLocalRanks();
  absl::Status StartWatchdog();
  // The newest collectives to the log, all that are recorded to the flight folder.
  void TellCollectives(const std::string& reason);
  // Ends the process, and the others if MPI can. `last_words` is run first and may hang.
  [[noreturn]] void AbortAll(int exit_code, const std::function<void()>& last_words = {});

  LaunchEnvironment environment_;
  double start_seconds_ = 60;
  bool uses_mpi_ = false;
  bool finalized_ = false;
  int rank_ = 0;
  int size_ = 1;
  int local_rank_ = 0;
  int local_size_ = 1;
  int cores_ = 1;           // This process may run on.
  int ranks_on_cores_ = 1;  // That may run on any of these.
  std::string host_name_;
  std::shared_ptr<distributed::PhaseBoard> board_ = std::make_shared<distributed::PhaseBoard>();
  std::shared_ptr<distributed::FlightRecorder> recorder_ =
      std::make_shared<distributed::FlightRecorder>(board_);
  std::unique_ptr<distributed::ControlChannel> single_control_;  // Without MPI.
  std::unique_ptr<distributed::MpiControl> mpi_control_;
  MPI_Comm heartbeat_comm_ = MPI_COMM_NULL;
  std::mutex flight_mutex_;
  std::string flight_folder_;                        // Guarded by flight_mutex_.
  std::atomic<double> silence_seconds_ = 60;         // As the watchdog was told.
  std::unique_ptr<distributed::Watchdog> watchdog_;  // Last: its thread uses the above.
};

}  // namespace langevin::launch

#endif  // LANGEVIN_LAUNCH_MPI_RUNTIME_H_
