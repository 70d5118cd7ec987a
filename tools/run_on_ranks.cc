#include "tools/run_on_ranks.h"

#include <memory>
#include <string>
#include <utility>

#include "core/base/catch_exceptions.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "distributed/agreement.h"

namespace langevin::tools {

absl::Status RunOnRanks(launch::Purpose purpose,
                        const std::function<absl::Status(launch::MpiRuntime&)>& body) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<launch::MpiRuntime> runtime,
                            launch::MpiRuntime::Start({.purpose = purpose}));
  absl::Status status = CatchExceptions("this rank", [&] {
    runtime->control().SetPhase("start", 0);
    return body(*runtime);
  });
  if (!status.ok() && !distributed::IsReported(status)) {
    if (absl::IsCancelled(status)) {
      LogInfo("%s", std::string(status.message()));
    } else {
      LogError("%s", std::string(status.message()));
    }
    status = distributed::MarkReported(std::move(status));
  }
  runtime->Finish(status);
  return status;
}

}  // namespace langevin::tools
