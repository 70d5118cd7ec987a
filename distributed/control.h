// Small agreements between ranks, beside the tensors: flags each step, short texts now and then.
//
// A channel of its own, so that a flag never waits behind a gradient and never mixes with one. All
// ranks make the same calls in the same order.
#ifndef LANGEVIN_DISTRIBUTED_CONTROL_H_
#define LANGEVIN_DISTRIBUTED_CONTROL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "distributed/phase_board.h"

namespace langevin::distributed {

// Owned by one thread, which makes all calls but SetPhase. Errors are Unavailable, DeadlineExceeded
// or Aborted; the channel is then of no more use.
class ControlChannel {
 public:
  virtual ~ControlChannel() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  // Every rank's text, in rank order. The texts may differ in length and be empty.
  virtual absl::StatusOr<std::vector<std::string>> AllGather(const std::string& text) = 0;

  // The bitwise or of all ranks' flags. Cheap enough for every step.
  virtual absl::StatusOr<uint64_t> CombineFlags(uint64_t flags) = 0;

  // Notes what this rank does now, for the message that the others print should it vanish. Any
  // thread.
  virtual void SetPhase(std::string_view phase, int64_t images_seen) = 0;

  // How long this rank has been in which phase since the last call.
  virtual std::vector<PhaseTime> TakePhaseTimes() { return {}; }
};

// A world of one.
std::unique_ptr<ControlChannel> MakeSingleProcessControl(
    std::shared_ptr<PhaseBoard> board = std::make_shared<PhaseBoard>());

// Ranks that are threads of one process: one channel for each, in order. A rank that does not come
// within `timeout_seconds` makes the others' calls fail with DeadlineExceeded.
std::vector<std::unique_ptr<ControlChannel>> MakeLocalControls(int size,
                                                               double timeout_seconds = 60);

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_CONTROL_H_
