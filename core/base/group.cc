#include "core/base/group.h"

#include <charconv>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace langevin {
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

absl::StatusOr<std::vector<std::string>> GatherIfAllOk(Group& group, const absl::Status& status,
                                                       const std::string& text) {
  // The code, a colon, and the text or the message.
  LANGEVIN_ASSIGN_OR_RETURN(
      std::vector<std::string> texts,
      group.AllGather(absl::StrCat(static_cast<int>(status.code()), ":",
                                   status.ok() ? absl::string_view(text) : status.message())));
  if (texts.size() != static_cast<size_t>(group.size())) {
    return absl::InternalError(
        absl::StrCat("the group of ", group.size(), " ranks gathered ", texts.size(), " messages"));
  }
  for (size_t rank = 0; rank < texts.size(); ++rank) {
    std::string& received = texts[rank];
    const size_t colon = received.find(':');
    int code = -1;
    if (colon != std::string::npos) {
      std::from_chars(received.data(), received.data() + colon, code);
    }
    if (code < 0) {
      return absl::InternalError(absl::StrCat("the message of rank ", rank, " cannot be parsed"));
    }
    received.erase(0, colon + 1);
    if (code == 0) continue;
    const std::string prefix = texts.size() > 1 ? absl::StrCat("rank ", rank, ": ") : "";
    return absl::Status(static_cast<absl::StatusCode>(code), absl::StrCat(prefix, received));
  }
  return texts;
}

}  // namespace langevin
