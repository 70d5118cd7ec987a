// Whether the values of a prepare config are in range and possible together.
#ifndef LANGEVIN_CONFIGS_PREPARE_CONFIG_VALIDATION_H_
#define LANGEVIN_CONFIGS_PREPARE_CONFIG_VALIDATION_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "configs/config_source.h"
#include "configs/prepare_config.h"

namespace langevin::configs {

// The first problem, in the order of the schema, or nothing.
std::optional<ConfigProblem> FindProblem(const PrepareConfig& config);

// "64x96": height and width of a bucket; nothing if it is none, or out of range.
struct BucketSize {
  int64_t height = 0, width = 0;
};
std::optional<BucketSize> ParseBucket(std::string_view text);

}  // namespace langevin::configs

#endif  // LANGEVIN_CONFIGS_PREPARE_CONFIG_VALIDATION_H_
