#include "configs/config_checks.h"

#include <utility>

#include "absl/strings/str_format.h"

namespace langevin::configs {

std::optional<ConfigProblem> InRange(std::string field, int64_t value, int64_t least,
                                     int64_t most) {
  if (value >= least && value <= most) return std::nullopt;
  return ConfigProblem{std::move(field),
                       absl::StrFormat("value %d: must be from %d to %d", value, least, most)};
}

std::optional<ConfigProblem> Require(bool ok, std::string field, double value,
                                     std::string_view allowed) {
  if (ok) return std::nullopt;
  return ConfigProblem{std::move(field), absl::StrFormat("value %.9g: must be %s", value, allowed)};
}

}  // namespace langevin::configs
