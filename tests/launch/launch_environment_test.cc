#include "launch/launch_environment.h"

#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace langevin::launch {
namespace {

using ::testing::HasSubstr;

LaunchEnvironment Read(const std::map<std::string, std::string>& variables) {
  return ReadLaunchEnvironment([&](const char* name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    if (found == variables.end()) return std::nullopt;
    return found->second;
  });
}

TEST(LaunchEnvironmentTest, MpiIsStartedOnlyWhereALauncherIs) {
  EXPECT_FALSE(Read({}).has_launcher());
  EXPECT_TRUE(Read({{"OMPI_COMM_WORLD_SIZE", "2"}}).has_launcher());
  EXPECT_TRUE(Read({{"PMIX_RANK", "0"}, {"SLURM_NTASKS", "4"}}).has_launcher());
  EXPECT_FALSE(Read({{"SLURM_NTASKS", "4"}, {"SLURM_STEP_NUM_TASKS", "4"}}).has_launcher());
}

// srun without PMIx starts processes that each think they are the only one.
TEST(LaunchEnvironmentTest, SingletonsUnderSrunAreRefused) {
  const LaunchEnvironment srun = Read({{"SLURM_NTASKS", "4"}, {"SLURM_STEP_NUM_TASKS", "4"}});
  for (const Purpose purpose : {Purpose::kTraining, Purpose::kTool}) {
    const absl::Status status = CheckWorld(srun, 1, purpose);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
    EXPECT_THAT(std::string(status.message()), HasSubstr("srun --mpi=pmix"));
  }
  EXPECT_TRUE(CheckWorld(srun, 1, Purpose::kPreflight).ok());
  EXPECT_TRUE(CheckWorld(srun, 4, Purpose::kTraining).ok());
}

// In a batch script the tasks of the job are there, but no step: exporting there is fine, training
// on one of four is a mistake.
TEST(LaunchEnvironmentTest, AToolMayRunAloneInABatchScript) {
  const LaunchEnvironment batch = Read({{"SLURM_NTASKS", "4"}});
  EXPECT_TRUE(CheckWorld(batch, 1, Purpose::kTool).ok());
  EXPECT_FALSE(CheckWorld(batch, 1, Purpose::kTraining).ok());
  EXPECT_TRUE(CheckWorld(Read({{"SLURM_NTASKS", "1"}}), 1, Purpose::kTraining).ok());
  EXPECT_TRUE(CheckWorld(Read({}), 1, Purpose::kTraining).ok());
}

TEST(LaunchEnvironmentTest, MpirunInsideAJobStepIsSeen) {
  EXPECT_TRUE(
      Read({{"OMPI_COMM_WORLD_SIZE", "2"}, {"SLURM_STEP_NUM_TASKS", "1"}}).mpirun_inside_step());
  EXPECT_FALSE(Read({{"OMPI_COMM_WORLD_SIZE", "2"}, {"SLURM_NTASKS", "2"}}).mpirun_inside_step());
}

}  // namespace
}  // namespace langevin::launch
