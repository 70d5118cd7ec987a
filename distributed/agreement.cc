#include "distributed/agreement.h"

#include <string>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace langevin::distributed {
namespace {

constexpr char kReported[] = "langevin.reported";

// "<code> <message>"; empty for OK.
std::string ToText(const absl::Status& status) {
  if (status.ok()) return "";
  return absl::StrCat(static_cast<int>(status.code()), " ", std::string(status.message()));
}

absl::Status FromText(const std::string& text) {
  const size_t space = text.find(' ');
  int code = 0;
  if (space == std::string::npos || !absl::SimpleAtoi(text.substr(0, space), &code)) {
    return absl::InternalError(absl::StrCat("a rank's status reads \"", text, "\""));
  }
  return absl::Status(static_cast<absl::StatusCode>(code), text.substr(space + 1));
}

}  // namespace

absl::Status AgreeOnStatus(ControlChannel& control, const absl::Status& mine) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> statuses,
                            control.AllGather(ToText(mine)));
  for (int rank = 0; rank < control.size(); ++rank) {
    if (statuses[rank].empty()) continue;
    if (rank == control.rank()) return mine;
    return MarkReported(FromText(statuses[rank]));
  }
  return absl::OkStatus();
}

absl::Status MarkReported(absl::Status status) {
  if (!status.ok()) status.SetPayload(kReported, absl::Cord("yes"));
  return status;
}

bool IsReported(const absl::Status& status) { return status.GetPayload(kReported).has_value(); }

}  // namespace langevin::distributed
