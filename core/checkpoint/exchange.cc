#include "core/checkpoint/exchange.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace langevin::checkpoint {

absl::StatusOr<std::vector<proto::RankReport>> Exchange(Group& group, const absl::Status& status,
                                                        const proto::RankReport& report) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> texts,
                            GatherIfAllOk(group, status, report.SerializeAsString()));
  std::vector<proto::RankReport> reports(texts.size());
  for (size_t rank = 0; rank < texts.size(); ++rank) {
    if (!reports[rank].ParseFromString(texts[rank])) {
      return absl::InternalError(absl::StrCat("the message of rank ", rank, " cannot be parsed"));
    }
  }
  return reports;
}

}  // namespace langevin::checkpoint
