#include "core/base/exit_code.h"

#include "gtest/gtest.h"

namespace langevin {
namespace {

// Batch scripts branch on these numbers; they can never change.
TEST(ExitCodeTest, EachKindOfFailureHasItsNumber) {
  EXPECT_EQ(static_cast<int>(ExitCodeFor(absl::OkStatus())), 0);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(absl::InvalidArgumentError(""))), 3);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(absl::FailedPreconditionError(""))), 3);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(absl::PermissionDeniedError(""))), 3);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(absl::DataLossError(""))), 4);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(absl::NotFoundError(""))), 4);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(absl::UnavailableError(""))), 5);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(absl::DeadlineExceededError(""))), 5);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(absl::ResourceExhaustedError(""))), 6);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(absl::InternalError(""))), 70);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(absl::CancelledError(""))), 75);
}

}  // namespace
}  // namespace langevin
