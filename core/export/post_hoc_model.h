// A model whose average was not tracked but is made from a run's snapshots.
#ifndef LANGEVIN_CORE_EXPORT_POST_HOC_MODEL_H_
#define LANGEVIN_CORE_EXPORT_POST_HOC_MODEL_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "core/base/file_system.h"
#include "core/export/model_source.h"

namespace langevin::exporting {

struct PostHocModel {
  Model model;  // On the CPU.
  int64_t images_seen = 0;
  int snapshots = 0;  // Of which it was made.
  double error = 0;   // optim::PostHocSum.
};

// The power-function average of width `std` as it would have stood at `images`, the images_seen of
// one of the run's snapshots; the newest if not given. FailedPrecondition: the run has none, or
// none at that moment; OutOfRange, with the range: snapshots of the run cannot give this std;
// DataLoss: a snapshot is damaged.
absl::StatusOr<PostHocModel> OpenPostHocModel(FileSystem& file_system,
                                              const std::string& run_folder, double std,
                                              std::optional<int64_t> images);

}  // namespace langevin::exporting

#endif  // LANGEVIN_CORE_EXPORT_POST_HOC_MODEL_H_
