// Averages of the weights as they stood now and then in a run: what an average of another width is
// made of afterwards (core/optim/post_hoc_ema.h).
//
//     RUN/ema_snapshots/images-000000128000.safetensors
//
// A file holds the averages as a checkpoint does ("ema_std_0.05.conv_in.weight", fp32) and in its
// metadata images_seen, the stds, the data set's fingerprint and a CRC32C over all tensors. A file
// under its final name is complete. Knows nothing of LibTorch. Rank 0 alone writes; any thread.
#ifndef LANGEVIN_CORE_CHECKPOINT_EMA_SNAPSHOTS_H_
#define LANGEVIN_CORE_CHECKPOINT_EMA_SNAPSHOTS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/file_system.h"
#include "core/base/tensor_view.h"

namespace langevin::checkpoint {

// What a snapshot says of itself.
struct EmaSnapshotFacts {
  int64_t images_seen = 0;
  std::vector<double> stds;  // Of the averages in it.
  std::string data_fingerprint;
  std::string software;

  friend bool operator==(const EmaSnapshotFacts&, const EmaSnapshotFacts&) = default;
};

// Writes one, durably; one that is there is replaced.
absl::Status WriteEmaSnapshot(FileSystem& file_system, const std::string& run_folder,
                              const EmaSnapshotFacts& facts,
                              const std::vector<TensorView>& tensors);

struct EmaSnapshot {
  int64_t images_seen = 0;
  std::string path;
};

// A run's snapshots, oldest first. A run without any has none.
absl::StatusOr<std::vector<EmaSnapshot>> ListEmaSnapshots(FileSystem& file_system,
                                                          const std::string& run_folder);

// Removes snapshots of more than `images_seen` images, to which the run comes again, and what a run
// that died in writing left.
absl::Status RemoveEmaSnapshotsAfter(FileSystem& file_system, const std::string& run_folder,
                                     int64_t images_seen);

// DataLoss if the file is none, or is another's than its name says.
absl::StatusOr<EmaSnapshotFacts> ReadEmaSnapshotFacts(FileSystem& file_system,
                                                      const EmaSnapshot& snapshot);

// Fills `tensors`, which must be all that the file holds. DataLoss if one is missing or of another
// type or shape, or if the checksum is wrong.
absl::Status ReadEmaSnapshot(FileSystem& file_system, const EmaSnapshot& snapshot,
                             std::vector<MutableTensorView> tensors);

}  // namespace langevin::checkpoint

#endif  // LANGEVIN_CORE_CHECKPOINT_EMA_SNAPSHOTS_H_
