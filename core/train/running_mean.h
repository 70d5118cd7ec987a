// Means over the steps since the last logging point, and how they survive a restart.
#ifndef LANGEVIN_CORE_TRAIN_RUNNING_MEAN_H_
#define LANGEVIN_CORE_TRAIN_RUNNING_MEAN_H_

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"

namespace langevin::train {

// Under which a checkpoint keeps it.
inline constexpr char kRunningMeanFact[] = "resume.running_mean";

// Sums of loss and gradient norm over the steps that were not skipped. A run that is killed between
// two logging points must log the same digits as one that is not, so the sums travel in the
// checkpoint, exactly.
struct RunningMean {
  double loss_sum = 0;
  double gradient_norm_sum = 0;
  int64_t steps = 0;

  void Add(double loss, double gradient_norm) {
    loss_sum += loss;
    gradient_norm_sum += gradient_norm;
    ++steps;
  }
  // NaN if there were no steps.
  double loss() const { return loss_sum / static_cast<double>(steps); }
  double gradient_norm() const { return gradient_norm_sum / static_cast<double>(steps); }

  // "0x1.8p+1 0x1p+0 3".
  std::string ToText() const;
  static absl::StatusOr<RunningMean> FromText(const std::string& text);
};

}  // namespace langevin::train

#endif  // LANGEVIN_CORE_TRAIN_RUNNING_MEAN_H_
