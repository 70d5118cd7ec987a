// Whether the values of a run config are in range and possible together.
#ifndef LANGEVIN_CONFIGS_RUN_CONFIG_VALIDATION_H_
#define LANGEVIN_CONFIGS_RUN_CONFIG_VALIDATION_H_

#include <optional>

#include "configs/config_source.h"
#include "configs/run_config.h"

namespace langevin::configs {

// The first problem, in the order of the schema, or nothing.
std::optional<ConfigProblem> FindProblem(const RunConfig& config);

// Whether each update takes all fp32 weights of a rank, so that distributed.zero_stage must be 0:
// edm2_unet normalises rows after it, and in BF16 a stage of 1 leaves only slices of them.
bool NeedsWholeWeights(const ModelConfig& model, Precision precision);

// Rounds total_images and the intervals in images up to the next multiple of global_batch; 0 stays
// 0. Requires a config without problems.
void RoundUpToGlobalBatch(RunConfig& config);

}  // namespace langevin::configs

#endif  // LANGEVIN_CONFIGS_RUN_CONFIG_VALIDATION_H_
