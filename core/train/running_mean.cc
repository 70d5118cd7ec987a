#include "core/train/running_mean.h"

#include <cinttypes>
#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace langevin::train {

std::string RunningMean::ToText() const {
  return absl::StrFormat("%a %a %d", loss_sum, gradient_norm_sum, steps);
}

absl::StatusOr<RunningMean> RunningMean::FromText(const std::string& text) {
  RunningMean mean;
  if (std::sscanf(text.c_str(), "%la %la %" SCNd64, &mean.loss_sum, &mean.gradient_norm_sum,
                  &mean.steps) != 3 ||
      mean.steps < 0) {
    return absl::DataLossError(absl::StrCat("\"", text, "\" is no running mean"));
  }
  return mean;
}

}  // namespace langevin::train
