#include "distributed/control.h"

#include <cstring>
#include <utility>

#include "core/base/status_macros.h"
#include "distributed/local_rendezvous.h"

namespace langevin::distributed {
namespace {

class SingleProcessControl : public ControlChannel {
 public:
  explicit SingleProcessControl(std::shared_ptr<PhaseBoard> board) : board_(std::move(board)) {}

  int rank() const override { return 0; }
  int size() const override { return 1; }
  absl::StatusOr<std::vector<std::string>> AllGather(const std::string& text) override {
    return std::vector<std::string>{text};
  }
  absl::StatusOr<uint64_t> CombineFlags(uint64_t flags) override { return flags; }
  void SetPhase(std::string_view phase, int64_t images_seen) override {
    board_->SetPhase(phase, images_seen);
  }
  std::vector<PhaseTime> TakePhaseTimes() override { return board_->TakeTimes(); }

 private:
  std::shared_ptr<PhaseBoard> board_;
};

using Rendezvous = LocalRendezvous<std::string>;

class LocalControl : public ControlChannel {
 public:
  LocalControl(std::shared_ptr<Rendezvous> rendezvous, int rank)
      : rendezvous_(std::move(rendezvous)), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return rendezvous_->size(); }

  absl::StatusOr<std::vector<std::string>> AllGather(const std::string& text) override {
    const ScopedWait wait(&board_);
    const auto round = rendezvous_->Join(rank_, text);
    LANGEVIN_RETURN_IF_ERROR(rendezvous_->Wait(*round, "an agreement"));
    return round->parts;
  }

  absl::StatusOr<uint64_t> CombineFlags(uint64_t flags) override {
    std::string bytes(sizeof(flags), '\0');
    std::memcpy(bytes.data(), &flags, sizeof(flags));
    LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> all, AllGather(bytes));
    for (const std::string& part : all) {
      uint64_t other = 0;
      if (part.size() != sizeof(other)) {
        return absl::InternalError("the ranks call different agreements: flags and texts");
      }
      std::memcpy(&other, part.data(), sizeof(other));
      flags |= other;
    }
    return flags;
  }

  void SetPhase(std::string_view phase, int64_t images_seen) override {
    board_.SetPhase(phase, images_seen);
  }
  std::vector<PhaseTime> TakePhaseTimes() override { return board_.TakeTimes(); }

 private:
  std::shared_ptr<Rendezvous> rendezvous_;
  int rank_;
  PhaseBoard board_;
};

}  // namespace

std::unique_ptr<ControlChannel> MakeSingleProcessControl(std::shared_ptr<PhaseBoard> board) {
  return std::make_unique<SingleProcessControl>(std::move(board));
}

std::vector<std::unique_ptr<ControlChannel>> MakeLocalControls(int size, double timeout_seconds) {
  const auto rendezvous = std::make_shared<Rendezvous>(
      size, timeout_seconds, [](std::vector<std::string>&) { return absl::OkStatus(); });
  std::vector<std::unique_ptr<ControlChannel>> controls;
  for (int rank = 0; rank < size; ++rank) {
    controls.push_back(std::make_unique<LocalControl>(rendezvous, rank));
  }
  return controls;
}

}  // namespace langevin::distributed
