#include "core/checkpoint/exchange.h"

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace langevin::checkpoint {
namespace {

class SingleProcessGroup : public Group {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  absl::StatusOr<std::vector<std::string>> AllGather(const std::string& text) override {
    return std::vector<std::string>{text};
  }
};

}  // namespace

Group& SingleProcess() {
  static auto& group = *new SingleProcessGroup;
  return group;
}

absl::StatusOr<std::vector<proto::RankReport>> Exchange(Group& group, const absl::Status& status,
                                                        proto::RankReport report) {
  report.set_status_code(static_cast<int>(status.code()));
  report.set_status_message(std::string(status.message()));
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> texts,
                            group.AllGather(report.SerializeAsString()));
  if (texts.size() != static_cast<size_t>(group.size())) {
    return absl::InternalError(
        absl::StrCat("the group of ", group.size(), " ranks gathered ", texts.size(), " messages"));
  }
  std::vector<proto::RankReport> reports(texts.size());
  for (size_t rank = 0; rank < texts.size(); ++rank) {
    if (!reports[rank].ParseFromString(texts[rank])) {
      return absl::InternalError(absl::StrCat("the message of rank ", rank, " cannot be parsed"));
    }
  }
  for (size_t rank = 0; rank < reports.size(); ++rank) {
    if (reports[rank].status_code() == 0) continue;
    const std::string prefix = reports.size() > 1 ? absl::StrCat("rank ", rank, ": ") : "";
    return absl::Status(static_cast<absl::StatusCode>(reports[rank].status_code()),
                        absl::StrCat(prefix, reports[rank].status_message()));
  }
  return reports;
}

}  // namespace langevin::checkpoint
