// The border where exceptions of LibTorch become absl::Status.
#ifndef LANGEVIN_DISTRIBUTED_TORCH_ERRORS_H_
#define LANGEVIN_DISTRIBUTED_TORCH_ERRORS_H_

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "c10/util/Exception.h"
#include "core/base/catch_exceptions.h"

namespace langevin::distributed {

// CatchExceptions for a `function` that uses LibTorch, whose own exceptions say more than
// std::exception shows: without the backtrace, and which of them mean that memory is short.
template <typename Function>
absl::Status CatchTorchErrors(const char* what, Function&& function) {
  return CatchExceptions(what, [&]() -> absl::Status {
    try {
      return function();
    } catch (const c10::OutOfMemoryError& error) {
      return absl::ResourceExhaustedError(absl::StrCat(what, ": ", error.what_without_backtrace()));
    } catch (const c10::Error& error) {
      // The CPU allocator has no exception class of its own.
      if (absl::StrContains(error.what_without_backtrace(), "can't allocate memory")) {
        return absl::ResourceExhaustedError(
            absl::StrCat(what,
                         ": out of memory: make train.microbatch or the model smaller, or start "
                         "fewer ranks on this host"));
      }
      return absl::InternalError(absl::StrCat(what, ": ", error.what_without_backtrace()));
    }
  });
}

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_TORCH_ERRORS_H_
