#include "distributed/mpi_control.h"

#include <climits>
#include <cstdint>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status_macros.h"
#include "distributed/mpi_status.h"

namespace langevin::distributed {

absl::StatusOr<std::unique_ptr<MpiControl>> MpiControl::Create(
    MPI_Comm parent, std::shared_ptr<PhaseBoard> board, std::shared_ptr<FlightRecorder> recorder) {
  LANGEVIN_ASSIGN_OR_RETURN(const MPI_Comm comm, DuplicateMpiComm(parent));
  return std::unique_ptr<MpiControl>(new MpiControl(comm, std::move(board), std::move(recorder)));
}

MpiControl::MpiControl(MPI_Comm comm, std::shared_ptr<PhaseBoard> board,
                       std::shared_ptr<FlightRecorder> recorder)
    : comm_(comm), board_(std::move(board)), recorder_(std::move(recorder)) {
  MPI_Comm_rank(comm_, &rank_);
  MPI_Comm_size(comm_, &size_);
}

absl::StatusOr<std::vector<std::string>> MpiControl::AllGather(const std::string& text) {
  ScopedCollective record(recorder_.get(), board_.get(), "gather_texts",
                          static_cast<int64_t>(text.size()));
  absl::StatusOr<std::vector<std::string>> texts = GatherTexts(text);
  if (!texts.ok()) record.Fail();
  return texts;
}

absl::StatusOr<std::vector<std::string>> MpiControl::GatherTexts(const std::string& text) {
  const int64_t own_length = static_cast<int64_t>(text.size());
  std::vector<int64_t> lengths(size_);
  LANGEVIN_RETURN_IF_ERROR(
      MpiStatus(MPI_Allgather(&own_length, 1, MPI_INT64_T, lengths.data(), 1, MPI_INT64_T, comm_),
                "exchanging lengths"));
  int64_t total = 0;
  for (const int64_t length : lengths) total += length;
  if (total > INT_MAX) {  // Seen by all ranks alike, so none goes on to wait.
    return absl::ResourceExhaustedError(
        absl::StrCat("the ranks exchange texts of ", total, " bytes; at most 2 GiB are possible"));
  }
  std::vector<int> counts(lengths.begin(), lengths.end());
  std::vector<int> offsets(size_);
  for (int rank = 1; rank < size_; ++rank) offsets[rank] = offsets[rank - 1] + counts[rank - 1];
  std::string joined(total, '\0');
  LANGEVIN_RETURN_IF_ERROR(
      MpiStatus(MPI_Allgatherv(text.data(), counts[rank_], MPI_CHAR, joined.data(), counts.data(),
                               offsets.data(), MPI_CHAR, comm_),
                "exchanging texts"));
  std::vector<std::string> texts;
  for (int rank = 0; rank < size_; ++rank) {
    texts.push_back(joined.substr(offsets[rank], counts[rank]));
  }
  return texts;
}

absl::StatusOr<uint64_t> MpiControl::CombineFlags(uint64_t flags) {
  ScopedCollective record(recorder_.get(), board_.get(), "combine_flags", sizeof(flags));
  absl::Status status =
      MpiStatus(MPI_Allreduce(MPI_IN_PLACE, &flags, 1, MPI_UINT64_T, MPI_BOR, comm_),
                "combining the ranks' flags");
  if (!status.ok()) {
    record.Fail();
    return status;
  }
  return flags;
}

void MpiControl::SetPhase(std::string_view phase, int64_t images_seen) {
  board_->SetPhase(phase, images_seen);
}

std::vector<PhaseTime> MpiControl::TakePhaseTimes() { return board_->TakeTimes(); }

absl::Status MpiControl::Shutdown() { return MpiStatus(MPI_Comm_free(&comm_), "MPI_Comm_free"); }

}  // namespace langevin::distributed
