#include "distributed/agreement.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/digest.h"
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

absl::Status AgreeOnText(ControlChannel& control, const std::string& mine) {
  Digest digest;
  digest.UpdateString(mine);
  // The texts themselves travel only where they differ.
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> digests,
                            control.AllGather(digest.Hex()));
  const auto other = std::find_if(digests.begin(), digests.end(),
                                  [&](const std::string& hex) { return hex != digests[0]; });
  if (other == digests.end()) return absl::OkStatus();
  const int64_t rank = other - digests.begin();
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> texts, control.AllGather(mine));
  const std::vector<std::string> expected = absl::StrSplit(texts[0], '\n');
  const std::vector<std::string> found = absl::StrSplit(texts[rank], '\n');
  size_t line = 0;
  while (line < expected.size() && line < found.size() && expected[line] == found[line]) ++line;
  const auto show = [line](const std::vector<std::string>& lines) {
    return line < lines.size()
               ? absl::StrCat("\"", std::string(absl::StripAsciiWhitespace(lines[line])), "\"")
               : std::string("nothing");
  };
  absl::Status differs = absl::InvalidArgumentError(absl::StrCat(
      "rank ", rank, " is about to run something else than rank 0: it has ", show(found),
      " where rank 0 has ", show(expected), "; give all ranks the same program, config and data"));
  return control.rank() == 0 ? differs : MarkReported(std::move(differs));
}

absl::StatusOr<int64_t> AgreeOnLeast(ControlChannel& control, int64_t mine) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> texts,
                            control.AllGather(absl::StrCat(mine)));
  int64_t least = mine;
  for (const std::string& text : texts) {
    int64_t number = 0;
    if (!absl::SimpleAtoi(text, &number)) {
      return absl::InternalError(absl::StrCat("a rank's number reads \"", text, "\""));
    }
    least = std::min(least, number);
  }
  return least;
}

absl::Status MarkReported(absl::Status status) {
  if (!status.ok()) status.SetPayload(kReported, absl::Cord("yes"));
  return status;
}

bool IsReported(const absl::Status& status) { return status.GetPayload(kReported).has_value(); }

}  // namespace langevin::distributed
