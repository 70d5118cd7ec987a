// The border where exceptions of libraries become absl::Status.
#ifndef LANGEVIN_CORE_BASE_CATCH_EXCEPTIONS_H_
#define LANGEVIN_CORE_BASE_CATCH_EXCEPTIONS_H_

#include <exception>
#include <new>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace langevin {

// Runs `function`, which returns absl::Status. ResourceExhausted: out of memory; Internal: any
// other exception. Messages begin with `what`.
template <typename Function>
absl::Status CatchExceptions(const char* what, Function&& function) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(absl::StrCat(what, ": out of memory"));
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat(what, ": ", error.what()));
  } catch (...) {
    return absl::InternalError(absl::StrCat(what, ": an exception of unknown type"));
  }
}

}  // namespace langevin

#endif  // LANGEVIN_CORE_BASE_CATCH_EXCEPTIONS_H_
