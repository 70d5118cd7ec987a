#include "launch/mpi_runtime.h"

#include <sched.h>
#include <unistd.h>

#include <cstdlib>

#include "ATen/ops/ones.h"
#include "gtest/gtest.h"
#include "launch/deadline.h"
#include "launch/make_communicator.h"

namespace langevin::launch {
namespace {

// Without a launcher: what a person gets who types `langevin train` at a prompt.
TEST(MpiRuntimeTest, AWorldOfOneNeedsNoMpi) {
  const auto runtime = MpiRuntime::Start({Purpose::kTraining});
  ASSERT_TRUE(runtime.ok()) << runtime.status();
  EXPECT_FALSE((*runtime)->uses_mpi());
  EXPECT_EQ((*runtime)->size(), 1);
  (*runtime)->SetDeadlines(1, 1);
  const auto communicator = MakeCommunicator(**runtime, CommunicatorKind::kAuto, false, 5);
  ASSERT_TRUE(communicator.ok()) << communicator.status();
  EXPECT_EQ((*communicator)->backend_name(), "local");
  EXPECT_TRUE((*communicator)->AllReduce(at::ones({3}))->Wait().ok());
  EXPECT_EQ(*(*runtime)->control().CombineFlags(3), 3u);
  EXPECT_EQ((*runtime)->Finish(absl::CancelledError("stopped")), 75);
}

TEST(MpiRuntimeTest, ThreadsComeFromConfigThenEnvironmentThenAffinity) {
  cpu_set_t mask;
  ASSERT_EQ(sched_getaffinity(0, sizeof(mask), &mask), 0);
  const auto runtime = MpiRuntime::Start({});
  ASSERT_TRUE(runtime.ok());
  setenv("OMP_NUM_THREADS", "7", 1);
  EXPECT_EQ((*runtime)->ComputeThreads(3), 3);
  EXPECT_EQ((*runtime)->ComputeThreads(0), 7);
  unsetenv("OMP_NUM_THREADS");
  EXPECT_EQ((*runtime)->ComputeThreads(0), CPU_COUNT(&mask));
}

// The progress thread of a rank that computes on all its cores would take one of them.
TEST(MpiRuntimeTest, ACoreIsSpareWhereNoThreadComputesOnIt) {
  cpu_set_t mask;
  ASSERT_EQ(sched_getaffinity(0, sizeof(mask), &mask), 0);
  const auto runtime = MpiRuntime::Start({});
  ASSERT_TRUE(runtime.ok());
  EXPECT_TRUE((*runtime)->HasSpareCores(CPU_COUNT(&mask) - 1));
  EXPECT_FALSE((*runtime)->HasSpareCores(CPU_COUNT(&mask)));
}

TEST(MpiRuntimeTest, BackendsThatCannotCarryTheTensorsAreRefused) {
  const auto runtime = MpiRuntime::Start({});
  ASSERT_TRUE(runtime.ok());
  EXPECT_EQ(MakeCommunicator(**runtime, CommunicatorKind::kNccl, false, 5).status().code(),
            absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(MakeCommunicator(**runtime, CommunicatorKind::kMpi, true, 5).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST(DeadlineTest, EndsTheProcessUnlessCalledOff) {
  { const Deadline called_off(0.05, "never printed", 9); }
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        const Deadline deadline(0.05, "MPI did not start", 5);
        pause();
      },
      testing::ExitedWithCode(5), "langevin: error: MPI did not start");
}

}  // namespace
}  // namespace langevin::launch
