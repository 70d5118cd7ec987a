// The border where exceptions of LibTorch become absl::Status.
#ifndef LANGEVIN_DISTRIBUTED_TORCH_ERRORS_H_
#define LANGEVIN_DISTRIBUTED_TORCH_ERRORS_H_

#include <exception>
#include <new>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "c10/util/Exception.h"

namespace langevin::distributed {

// Runs `function`, which returns absl::Status. ResourceExhausted: out of memory; Internal: any
// other exception. Messages begin with `what`.
template <typename Function>
absl::Status CatchTorchErrors(const char* what, Function&& function) {
  try {
    return function();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(absl::StrCat(what, ": out of memory"));
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
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat(what, ": ", error.what()));
  } catch (...) {
    return absl::InternalError(absl::StrCat(what, ": an exception of unknown type"));
  }
}

}  // namespace langevin::distributed

#endif  // LANGEVIN_DISTRIBUTED_TORCH_ERRORS_H_
