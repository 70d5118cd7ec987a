#include "launch/launch_environment.h"

#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace langevin::launch {

std::string LaunchEnvironment::Describe() const {
  std::string text = started_by_mpirun ? "mpirun" : started_by_pmix ? "srun with PMIx" : "none";
  if (slurm_tasks > 0) absl::StrAppend(&text, ", Slurm job of ", slurm_tasks, " tasks");
  return text;
}

LaunchEnvironment ReadLaunchEnvironment(
    const std::function<std::optional<std::string>(const char*)>& get) {
  const auto number = [&](const char* name) {
    int value = 0;
    const std::optional<std::string> text = get(name);
    return text.has_value() && absl::SimpleAtoi(*text, &value) ? value : 0;
  };
  LaunchEnvironment environment;
  environment.started_by_mpirun = get("OMPI_COMM_WORLD_SIZE").has_value();
  environment.started_by_pmix = get("PMIX_RANK").has_value();
  environment.slurm_tasks = number("SLURM_NTASKS");
  environment.slurm_step_tasks = number("SLURM_STEP_NUM_TASKS");
  environment.slurm_process = number("SLURM_PROCID");
  environment.in_slurm_step = get("SLURM_STEP_NUM_TASKS").has_value();
  return environment;
}

LaunchEnvironment ReadLaunchEnvironment() {
  return ReadLaunchEnvironment([](const char* name) -> std::optional<std::string> {
    const char* value = std::getenv(name);
    if (value == nullptr) return std::nullopt;
    return value;
  });
}

absl::Status CheckWorld(const LaunchEnvironment& environment, int world_size, Purpose purpose) {
  if (world_size > 1 || purpose == Purpose::kPreflight) return absl::OkStatus();
  const bool training_alone = purpose == Purpose::kTraining && environment.slurm_tasks > 1;
  const bool step_alone = environment.slurm_step_tasks > 1;
  if (!training_alone && !step_alone) return absl::OkStatus();
  const int tasks = step_alone ? environment.slurm_step_tasks : environment.slurm_tasks;
  return absl::UnavailableError(absl::StrCat(
      "Slurm has ", tasks,
      " tasks for this, but this process is alone in its world; start it with "
      "`srun --mpi=pmix`, or with mpirun inside sbatch (`langevin preflight` checks it)"));
}

}  // namespace langevin::launch
