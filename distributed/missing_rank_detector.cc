#include "distributed/missing_rank_detector.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace langevin::distributed {
namespace {

void Join(std::optional<std::string>& all, const std::string& one) {
  all = all.has_value() ? absl::StrCat(*all, "; ", one) : one;
}

}  // namespace

MissingRankDetector::MissingRankDetector(int rank, int size, const std::vector<int>& peers,
                                         bool sees_all, double deadline_seconds, double now)
    : rank_(rank), sees_all_(sees_all), deadline_seconds_(deadline_seconds), ranks_(size) {
  for (Rank& one : ranks_) one.last_heard = now;
  for (const int peer : peers) ranks_[peer].is_peer = true;
}

void MissingRankDetector::Hear(const Heartbeat& heartbeat, double now) {
  if (heartbeat.rank < 0 || heartbeat.rank >= static_cast<int>(ranks_.size())) return;
  Rank& rank = ranks_[heartbeat.rank];
  const bool same_wait = rank.heard && rank.last.state.waiting && heartbeat.state.waiting &&
                         rank.last.state.waits == heartbeat.state.waits;
  if (!same_wait) rank.wait_since = now;
  rank.heard = true;
  rank.last_heard = now;
  rank.last = heartbeat;
}

std::optional<std::string> MissingRankDetector::Check(double now) const {
  if (std::optional<std::string> silent = FindSilent(now)) return silent;
  return sees_all_ ? FindAbsent(now) : std::nullopt;
}

bool MissingRankDetector::AllGone() const {
  return std::all_of(ranks_.begin(), ranks_.end(),
                     [](const Rank& rank) { return !rank.is_peer || rank.last.goodbye; });
}

std::string MissingRankDetector::Describe(int rank) const {
  const Rank& one = ranks_[rank];
  if (!one.heard) return absl::StrCat("rank ", rank, " is missing: never heard since the start");
  return absl::StrCat("rank ", rank, " is missing: last heard at images_seen ",
                      one.last.state.images_seen, ", phase ", one.last.state.phase);
}

std::optional<std::string> MissingRankDetector::FindSilent(double now) const {
  std::optional<std::string> message;
  for (int rank = 0; rank < static_cast<int>(ranks_.size()); ++rank) {
    const Rank& one = ranks_[rank];
    if (!one.is_peer || one.last.goodbye) continue;
    const double limit = one.heard ? deadline_seconds_ : 2 * deadline_seconds_;
    if (now - one.last_heard > limit) Join(message, Describe(rank));
  }
  return message;
}

std::optional<std::string> MissingRankDetector::FindAbsent(double now) const {
  const bool overdue = std::any_of(ranks_.begin(), ranks_.end(), [&](const Rank& rank) {
    const double limit = rank.last.state.waits == 1 ? 2 * deadline_seconds_ : deadline_seconds_;
    return rank.heard && rank.last.state.waiting && now - rank.wait_since > limit;
  });
  if (!overdue) return std::nullopt;
  std::optional<std::string> absent, everyone;
  for (int rank = 0; rank < static_cast<int>(ranks_.size()); ++rank) {
    const Rank& one = ranks_[rank];
    if (!one.last.state.waiting) Join(absent, Describe(rank));
    Join(everyone, absl::StrCat("rank ", rank, " at images_seen ", one.last.state.images_seen,
                                ", phase ", one.last.state.phase));
  }
  if (absent.has_value()) return absent;
  return absl::StrCat("no rank is missing, but all wait for each other and none goes on: ",
                      *everyone);
}

}  // namespace langevin::distributed
