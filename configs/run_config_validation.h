// Whether the values of a run config are in range and possible together.
#ifndef LANGEVIN_CONFIGS_RUN_CONFIG_VALIDATION_H_
#define LANGEVIN_CONFIGS_RUN_CONFIG_VALIDATION_H_

#include <optional>
#include <string>

#include "configs/run_config.h"

namespace langevin::configs {

// One thing that is wrong: the field's path in the schema, like "train.microbatch", and a phrase
// that gives its value and what is allowed.
struct RunConfigProblem {
  std::string field;
  std::string message;
};

// The first problem, in the order of the schema, or nothing.
std::optional<RunConfigProblem> FindProblem(const RunConfig& config);

// Rounds total_images and the intervals in images up to the next multiple of global_batch; 0 stays
// 0. Requires a config without problems.
void RoundUpToGlobalBatch(RunConfig& config);

}  // namespace langevin::configs

#endif  // LANGEVIN_CONFIGS_RUN_CONFIG_VALIDATION_H_
