// One thing that is wrong with a config.
#ifndef LANGEVIN_CONFIGS_CONFIG_PROBLEM_H_
#define LANGEVIN_CONFIGS_CONFIG_PROBLEM_H_

#include <string>

namespace langevin::configs {

// The field's path in its message, like "train.microbatch", and a phrase that gives its value and
// what is allowed.
struct ConfigProblem {
  std::string field;
  std::string message;
};

}  // namespace langevin::configs

#endif  // LANGEVIN_CONFIGS_CONFIG_PROBLEM_H_
