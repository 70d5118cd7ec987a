// How ranks come to one mind: on an error that some of them have met, so that all end with one
// message, on what they are about to do, and on a number.
#ifndef LANGEVIN_DISTRIBUTED_AGREEMENT_H_
#define LANGEVIN_DISTRIBUTED_AGREEMENT_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "distributed/control.h"

namespace langevin::distributed {

// All ranks together, at a point that all reach whatever happened: OK if all ranks are. Otherwise
// all get the error of the lowest rank that has one; on every other rank it is marked as reported.
absl::Status AgreeOnStatus(ControlChannel& control, const absl::Status& mine);

// All ranks together: OK if all have given the same text, lines that say what they are about to do.
// Otherwise all get InvalidArgument, which names the lowest rank that differs from rank 0 and its
// first line that does.
absl::Status AgreeOnText(ControlChannel& control, const std::string& mine);

// All ranks together: the smallest of their numbers.
absl::StatusOr<int64_t> AgreeOnLeast(ControlChannel& control, int64_t mine);

// An error that somebody else tells the user, or that has been told: main prints no line for it.
absl::Status MarkReported(absl::Status status);
bool IsReported(const absl::Status& status);

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_AGREEMENT_H_
