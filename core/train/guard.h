// Watches the loss: steps that must not change the weights, and steps that look wrong.
//
// A step whose loss or gradient is not finite is skipped. Too many in a row mean that the run has
// diverged. A loss far above the usual one, a spike, is only told. All ranks judge the same
// numbers, so all come to the same verdict, and what is remembered travels in checkpoints, so a run
// that goes on counts and warns as if it had not been interrupted. One thread.
#ifndef LANGEVIN_CORE_TRAIN_GUARD_H_
#define LANGEVIN_CORE_TRAIN_GUARD_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace langevin::train {

// Under which a checkpoint keeps it.
inline constexpr char kGuardFact[] = "resume.guard";

class Guard {
 public:
  // So many in a row, and the run has diverged.
  static constexpr int64_t kMostSkippedInARow = 20;

  enum class Verdict {
    kApply,
    kSpike,   // Apply it, and tell: the loss left its usual range with this step.
    kSkip,    // Leave the weights as they are.
    kGiveUp,  // The same, and end the run.
  };

  // Judges the next step by its mean loss and the norm of its gradient.
  Verdict Judge(double loss, double gradient_norm);

  int64_t skipped_steps() const { return skipped_; }
  int64_t skipped_in_a_row() const { return skipped_in_a_row_; }
  int64_t spikes() const { return spikes_; }
  // What the loss usually is: its geometric mean over the last hundred steps or so. 0: nothing is
  // known.
  double usual_loss() const;

  // All of it, to the bit: "3 0 1 0 640 -0x1.8p+1 0x1p-4".
  std::string ToText() const;
  static absl::StatusOr<Guard> FromText(const std::string& text);

 private:
  // Whether the loss is out of its usual range: beyond the border, or not yet back from there.
  bool IsOutOfRange(double loss);

  int64_t skipped_ = 0;
  int64_t skipped_in_a_row_ = 0;
  int64_t spikes_ = 0;
  bool in_spike_ = false;
  // Of the logarithm of the loss, in which its noise is alike at every level: steps seen, and
  // exponentially weighted mean and variance.
  int64_t steps_ = 0;
  double log_mean_ = 0;
  double log_variance_ = 0;
};

// What a person is told of a step with the verdict kSkip, or kSpike.
std::string SkipMessage(double loss, double gradient_norm);
std::string SpikeMessage(double loss, double usual_loss);

// The error with which a run ends that Guard gives up: what happened and what to do.
// `checkpoint_name` is that of the newest one in the run's folder, or empty if there is none.
absl::Status DivergedError(const Guard& guard, const std::string& run_folder, int64_t images_seen,
                           const std::string& checkpoint_name);

}  // namespace langevin::train

#endif  // LANGEVIN_CORE_TRAIN_GUARD_H_
