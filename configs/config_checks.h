// What a number in a config must be, and the words for one that is not.
//
// Pure functions; any thread.
#ifndef LANGEVIN_CONFIGS_CONFIG_CHECKS_H_
#define LANGEVIN_CONFIGS_CONFIG_CHECKS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "configs/config_problem.h"

namespace langevin::configs {

// nullopt if `value` is in [least, most].
std::optional<ConfigProblem> InRange(std::string field, int64_t value, int64_t least, int64_t most);

// nullopt if `ok`; else that `value` must be what `allowed` says.
std::optional<ConfigProblem> Require(bool ok, std::string field, double value,
                                     std::string_view allowed);

}  // namespace langevin::configs

#endif  // LANGEVIN_CONFIGS_CONFIG_CHECKS_H_
