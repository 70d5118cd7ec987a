// How ranks agree: each says whether it succeeded and what the others need, and all go on with the
// same outcome.
#ifndef LANGEVIN_CORE_CHECKPOINT_EXCHANGE_H_
#define LANGEVIN_CORE_CHECKPOINT_EXCHANGE_H_

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "checkpoint_manifest.pb.h"
#include "core/checkpoint/checkpoint.h"

namespace langevin::checkpoint {

// Sends `status` and `report` to all ranks; called by all together. Gives the reports in rank order
// if every rank's status is OK, and otherwise, on every rank, the error of the first that failed,
// with its number where there are several.
absl::StatusOr<std::vector<proto::RankReport>> Exchange(Group& group, const absl::Status& status,
                                                        const proto::RankReport& report);

}  // namespace langevin::checkpoint

#endif  // LANGEVIN_CORE_CHECKPOINT_EXCHANGE_H_
