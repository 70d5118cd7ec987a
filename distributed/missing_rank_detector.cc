#include "distributed/missing_rank_detector.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace langevin::distributed {
namespace {

void Join(std::optional<std::string>& all, const std::string& one) {
  all = all.has_value() ? absl::StrCat(*all, "; ", one) : one;
}

std::string NameOf(const FlightRecorder::Summary& collectives) {
  return absl::StrCat(collectives.kind, " #", collectives.under_way);
}

}  // namespace

MissingRankDetector::MissingRankDetector(int rank, int size, const std::vector<int>& peers,
                                         bool sees_all, Deadlines deadlines, double now)
    : rank_(rank), sees_all_(sees_all), deadlines_(deadlines), ranks_(size) {
  for (Rank& one : ranks_) one.last_heard = now;
  for (const int peer : peers) ranks_[peer].is_peer = true;
}

void MissingRankDetector::Hear(const Heartbeat& heartbeat, double now) {
  if (heartbeat.rank < 0 || heartbeat.rank >= static_cast<int>(ranks_.size())) return;
  Rank& rank = ranks_[heartbeat.rank];
  const uint64_t under_way = heartbeat.collectives.under_way;
  const bool is_same = rank.heard && under_way != 0 && rank.last.collectives.under_way == under_way;
  if (!is_same) rank.under_way_since = now;
  rank.heard = true;
  rank.last_heard = now;
  rank.last = heartbeat;
}

std::optional<std::string> MissingRankDetector::Check(double now) const {
  if (std::optional<std::string> silent = FindSilent(now)) return silent;
  return FindStuck(now);
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
    const double limit = deadlines_.silence_seconds * (one.heard ? 1 : 2);
    if (now - one.last_heard > limit) Join(message, Describe(rank));
  }
  return message;
}

double MissingRankDetector::OverdueSeconds(const Rank& rank, double now) const {
  const FlightRecorder::Summary& collectives = rank.last.collectives;
  if (!rank.heard || collectives.under_way == 0) return 0;
  const double limit = deadlines_.collective_seconds * (collectives.starting_up ? 2 : 1);
  return now - rank.under_way_since - limit;
}

const MissingRankDetector::Rank* MissingRankDetector::FindOverdue(double now) const {
  if (!sees_all_) {
    return OverdueSeconds(ranks_[rank_], now) > kOthersSeconds ? &ranks_[rank_] : nullptr;
  }
  const Rank* found = nullptr;
  for (const Rank& rank : ranks_) {
    if (OverdueSeconds(rank, now) <= 0) continue;
    if (found == nullptr || rank.last.collectives.under_way < found->last.collectives.under_way) {
      found = &rank;
    }
  }
  return found;
}

std::optional<std::string> MissingRankDetector::FindStuck(double now) const {
  const Rank* overdue = FindOverdue(now);
  if (overdue == nullptr) return std::nullopt;
  const FlightRecorder::Summary& collective = overdue->last.collectives;
  if (!sees_all_) {
    return absl::StrCat(NameOf(collective), " has not ended within ", deadlines_.collective_seconds,
                        " s, and rank 0 does not say why");
  }
  std::optional<std::string> absent, differing, everyone;
  for (int rank = 0; rank < static_cast<int>(ranks_.size()); ++rank) {
    const Heartbeat& last = ranks_[rank].last;
    const FlightRecorder::Summary& theirs = last.collectives;
    if (theirs.scheduled < collective.under_way) {
      Join(absent, absl::StrCat(Describe(rank), ": it has not come to ", NameOf(collective)));
    }
    if (theirs.under_way == collective.under_way &&
        (theirs.kind != collective.kind || theirs.bytes != collective.bytes)) {
      Join(differing,
           absl::StrCat("rank ", rank, " calls ", theirs.kind, " of ", theirs.bytes,
                        " bytes as collective #", theirs.under_way, ", rank ", overdue->last.rank,
                        " ", collective.kind, " of ", collective.bytes, " bytes"));
    }
    Join(everyone, absl::StrCat("rank ", rank, " at images_seen ", last.state.images_seen,
                                ", phase ", last.state.phase));
  }
  if (absent.has_value()) return absent;
  if (OverdueSeconds(*overdue, now) <= kSilenceShowsSeconds) return std::nullopt;
  if (differing.has_value()) {
    return absl::StrCat("the ranks have lost each other: ", *differing);
  }
  return absl::StrCat("no rank is missing, but ", NameOf(collective), " has not ended within ",
                      deadlines_.collective_seconds, " s: ", *everyone);
}

}  // namespace langevin::distributed
