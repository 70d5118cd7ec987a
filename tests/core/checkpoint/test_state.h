// A training state that is a function of images_seen, and saving and checking it in tests.
#ifndef LANGEVIN_TESTS_CORE_CHECKPOINT_TEST_STATE_H_
#define LANGEVIN_TESTS_CORE_CHECKPOINT_TEST_STATE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/file_system.h"
#include "core/checkpoint/checkpoint.h"

namespace langevin::checkpoint {

// Tensors of several types and sizes, an empty and a scalar one among them; all bytes depend on
// images_seen.
class TestState {
 public:
  explicit TestState(int64_t images_seen);
  TestState(const TestState&) = delete;
  TestState& operator=(const TestState&) = delete;

  const Metadata& metadata() const { return metadata_; }
  const std::vector<TensorView>& tensors() const { return tensors_; }

 private:
  Metadata metadata_;
  std::vector<std::string> bytes_;
  std::vector<TensorView> tensors_;
};

// Saves TestState(images_seen) with so many ranks; what each of them returned.
std::vector<absl::Status> SaveWithRanks(FileSystem& file_system, int ranks,
                                        const std::string& run_folder, int64_t images_seen,
                                        int keep);

// The same for where all must return the same; Internal, saying what they returned, if not.
absl::Status SaveState(FileSystem& file_system, int ranks, const std::string& run_folder,
                       int64_t images_seen, int keep);

// FindNewest with so many ranks, which must agree. The images_seen of the checkpoint, after all of
// its tensors were loaded and found equal to TestState; -1 if there are no checkpoints.
absl::StatusOr<int64_t> NewestState(FileSystem& file_system, int ranks,
                                    const std::string& run_folder);

// OK if all of the checkpoint is TestState of its images_seen.
absl::Status CheckState(FileSystem& file_system, const Found& found);

}  // namespace langevin::checkpoint

#endif  // LANGEVIN_TESTS_CORE_CHECKPOINT_TEST_STATE_H_
