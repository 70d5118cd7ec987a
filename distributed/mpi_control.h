// The control channel over MPI.
#ifndef LANGEVIN_DISTRIBUTED_MPI_CONTROL_H_
#define LANGEVIN_DISTRIBUTED_MPI_CONTROL_H_

#include <mpi.h>

#include <memory>
#include <string>
#include <vector>

#include "distributed/control.h"
#include "distributed/flight_recorder.h"

namespace langevin::distributed {

// Calls block until all ranks have come; that they come at all is the watchdog's matter, which
// learns from the board that this rank waits. Needs MPI_THREAD_MULTIPLE.
class MpiControl : public ControlChannel {
 public:
  // On a duplicate of `parent`; all ranks together. `board` is where phases are noted, `recorder`
  // (which may be null) where calls are.
  static absl::StatusOr<std::unique_ptr<MpiControl>> Create(
      MPI_Comm parent, std::shared_ptr<PhaseBoard> board,
      std::shared_ptr<FlightRecorder> recorder = nullptr);

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  absl::StatusOr<std::vector<std::string>> AllGather(const std::string& text) override;
  absl::StatusOr<uint64_t> CombineFlags(uint64_t flags) override;
  void SetPhase(std::string_view phase, int64_t images_seen) override;
  std::vector<PhaseTime> TakePhaseTimes() override;

  // Frees the duplicate; all ranks together, before MPI_Finalize. No call may follow.
  absl::Status Shutdown();

 private:
  MpiControl(MPI_Comm comm, std::shared_ptr<PhaseBoard> board,
             std::shared_ptr<FlightRecorder> recorder);
  absl::StatusOr<std::vector<std::string>> GatherTexts(const std::string& text);

  MPI_Comm comm_;
  int rank_ = 0;
  int size_ = 1;
  std::shared_ptr<PhaseBoard> board_;
  std::shared_ptr<FlightRecorder> recorder_;
};

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_MPI_CONTROL_H_
