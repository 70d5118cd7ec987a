#include "distributed/work.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"

namespace langevin::distributed {
namespace {

class Finished : public Work {
 public:
  explicit Finished(absl::Status status) : status_(std::move(status)) {}
  absl::Status Wait() override { return status_; }
  Progress Poll() override { return Progress::kEnded; }

 private:
  absl::Status status_;
};

absl::Status CheckTensor(const Collective& collective, const at::Tensor& tensor,
                         const char* which) {
  if (!tensor.defined()) {
    return absl::InternalError(absl::StrCat(NameOf(collective.kind), ": no ", which, " tensor"));
  }
  if (!tensor.is_contiguous()) {
    return absl::InternalError(
        absl::StrCat(NameOf(collective.kind), ": the ", which, " tensor is not contiguous"));
  }
  return absl::OkStatus();
}

// Whether `whole` holds `ranks` times as many elements as `part`, of the same type.
absl::Status CheckParts(const Collective& collective, const at::Tensor& whole,
                        const at::Tensor& part, int ranks) {
  if (whole.scalar_type() != part.scalar_type() || whole.numel() != ranks * part.numel()) {
    return absl::InternalError(
        absl::StrCat(NameOf(collective.kind), " over ", ranks, " ranks: ", whole.numel(), " ",
                     c10::toString(whole.scalar_type()), " do not match ", ranks, " parts of ",
                     part.numel(), " ", c10::toString(part.scalar_type())));
  }
  return absl::OkStatus();
}

absl::Status CheckSummable(const Collective& collective) {
  switch (collective.output.scalar_type()) {
    case at::kFloat:
    case at::kDouble:
    case at::kBFloat16:
      return absl::OkStatus();
    default:
      return absl::InternalError(absl::StrCat(NameOf(collective.kind), ": cannot sum ",
                                              c10::toString(collective.output.scalar_type()),
                                              "; use float32, float64 or bfloat16"));
  }
}

}  // namespace

const char* NameOf(CollectiveKind kind) {
  switch (kind) {
    case CollectiveKind::kAllReduce:
      return "all_reduce";
    case CollectiveKind::kReduceScatter:
      return "reduce_scatter";
    case CollectiveKind::kAllGather:
      return "all_gather";
    case CollectiveKind::kAllToAll:
      return "all_to_all";
    case CollectiveKind::kBroadcast:
      return "broadcast";
    case CollectiveKind::kBarrier:
      return "barrier";
  }
  return "collective";
}

std::string Collective::Description() const {
  if (!output.defined()) return NameOf(kind);
  std::string text =
      absl::StrCat(NameOf(kind), " of ", output.numel(), " ", c10::toString(output.scalar_type()));
  if (kind == CollectiveKind::kBroadcast) absl::StrAppend(&text, " from rank ", root);
  return text;
}

absl::Status CheckCollective(const Collective& collective, int ranks) {
  if (collective.kind == CollectiveKind::kBarrier) return absl::OkStatus();
  LANGEVIN_RETURN_IF_ERROR(CheckTensor(collective, collective.output, "output"));
  const bool in_place = collective.kind == CollectiveKind::kAllReduce ||
                        collective.kind == CollectiveKind::kBroadcast;
  if (!in_place) LANGEVIN_RETURN_IF_ERROR(CheckTensor(collective, collective.input, "input"));
  switch (collective.kind) {
    case CollectiveKind::kAllReduce:
      return CheckSummable(collective);
    case CollectiveKind::kReduceScatter:
      LANGEVIN_RETURN_IF_ERROR(CheckSummable(collective));
      return CheckParts(collective, collective.input, collective.output, ranks);
    case CollectiveKind::kAllGather:
      return CheckParts(collective, collective.output, collective.input, ranks);
    case CollectiveKind::kAllToAll:
      if (collective.output.numel() % ranks != 0) {
        return absl::InternalError(absl::StrCat("all_to_all: ", collective.output.numel(),
                                                " elements cannot be cut into ", ranks,
                                                " equal slices"));
      }
      return CheckParts(collective, collective.output, collective.input, 1);
    case CollectiveKind::kBroadcast:
      if (collective.root < 0 || collective.root >= ranks) {
        return absl::InternalError(
            absl::StrCat("broadcast from rank ", collective.root, " of ", ranks));
      }
      return absl::OkStatus();
    case CollectiveKind::kBarrier:
      break;
  }
  return absl::OkStatus();
}

std::unique_ptr<Work> FinishedWork(absl::Status status) {
  return std::make_unique<Finished>(std::move(status));
}

}  // namespace langevin::distributed
