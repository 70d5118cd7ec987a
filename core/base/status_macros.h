// Early return on error, for functions that return absl::Status or absl::StatusOr.
//
// These two are macros because a function cannot return from its caller.
#ifndef LANGEVIN_CORE_BASE_STATUS_MACROS_H_
#define LANGEVIN_CORE_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define LANGEVIN_RETURN_IF_ERROR(expression)                                    \
  do {                                                                          \
    if (absl::Status langevin_status_ = (expression); !langevin_status_.ok()) { \
      return langevin_status_;                                                  \
    }                                                                           \
  } while (false)

// LANGEVIN_ASSIGN_OR_RETURN(const Config config, LoadConfig(path));
#define LANGEVIN_ASSIGN_OR_RETURN(declaration, expression) \
  LANGEVIN_ASSIGN_OR_RETURN_(LANGEVIN_JOIN_(langevin_result_, __LINE__), declaration, expression)

#define LANGEVIN_JOIN_(a, b) LANGEVIN_JOIN_EXPANDED_(a, b)
#define LANGEVIN_JOIN_EXPANDED_(a, b) a##b
// NOLINTBEGIN(bugprone-macro-parentheses): names and declarations cannot stand in parentheses.
#define LANGEVIN_ASSIGN_OR_RETURN_(result, declaration, expression) \
  auto result = (expression);                                       \
  if (!result.ok()) return std::move(result).status();              \
  declaration = *std::move(result)
// NOLINTEND(bugprone-macro-parentheses)

#endif  // LANGEVIN_CORE_BASE_STATUS_MACROS_H_
