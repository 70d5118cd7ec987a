// What the environment says about who started this process, and with how many others.
#ifndef LANGEVIN_LAUNCH_LAUNCH_ENVIRONMENT_H_
#define LANGEVIN_LAUNCH_LAUNCH_ENVIRONMENT_H_

#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"

namespace langevin::launch {

// What a process is going to do decides how suspicious a world of one is.
enum class Purpose {
  kTraining,   // SLURM_NTASKS above 1 and a world of one: refused.
  kTool,       // Refused only inside a job step of several tasks: each would do the same work.
  kPreflight,  // Never refused: it is there to find out.
};

struct LaunchEnvironment {
  // A launcher that MPI can join: mpirun, or srun with PMIx.
  bool started_by_mpirun = false;
  bool started_by_pmix = false;
  int slurm_tasks = 0;       // SLURM_NTASKS; 0: not in Slurm.
  int slurm_step_tasks = 0;  // SLURM_STEP_NUM_TASKS; 0: not in a job step.
  int slurm_process = 0;     // SLURM_PROCID.
  bool in_slurm_step = false;

  // Whether MPI should be initialised at all: without a launcher it would only cost time.
  bool has_launcher() const { return started_by_mpirun || started_by_pmix; }
  // mpirun started by srun: with Open MPI 4.1 its daemons then wait for each other for ever.
  bool mpirun_inside_step() const { return started_by_mpirun && in_slurm_step; }
  std::string Describe() const;
};

// `get` is getenv.
LaunchEnvironment ReadLaunchEnvironment(
    const std::function<std::optional<std::string>(const char*)>& get);
LaunchEnvironment ReadLaunchEnvironment();

// Unavailable if this process finds itself alone (`world_size` 1) where Slurm started several: then
// each of them would be a run of its own, writing into the same folder.
absl::Status CheckWorld(const LaunchEnvironment& environment, int world_size, Purpose purpose);

}  // namespace langevin::launch

#endif  // LANGEVIN_LAUNCH_LAUNCH_ENVIRONMENT_H_
