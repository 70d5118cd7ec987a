#include "distributed/flight_recorder.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/base/clock.h"

namespace langevin::distributed {
namespace {

const char* NameOf(FlightRecorder::State state) {
  switch (state) {
    case FlightRecorder::State::kScheduled:
      return "scheduled";
    case FlightRecorder::State::kStarted:
      return "started";
    case FlightRecorder::State::kCompleted:
      return "completed";
    case FlightRecorder::State::kFailed:
      return "failed";
  }
  return "unknown";
}

}  // namespace

FlightRecorder::FlightRecorder(std::shared_ptr<const PhaseBoard> board,
                               std::function<double()> clock)
    : board_(std::move(board)), clock_(clock ? std::move(clock) : MonotonicSeconds) {}

uint64_t FlightRecorder::Schedule(std::string_view kind, int64_t bytes, Channel channel) {
  PhaseBoard::Snapshot where = board_->Read();
  const double now = clock_();
  const std::lock_guard lock(mutex_);
  // Those in front have mostly ended by now; the rest can wait for Settle.
  while (!pending_.empty() && pending_.front().has_ended && pending_.front().has_ended()) {
    MarkEnded(pending_.front(), /*ok=*/true, now);
    pending_.pop_front();
  }
  const uint64_t sequence = ++scheduled_;
  ring_[sequence % kCapacity] = {.sequence = sequence,
                                 .kind = std::string(kind),
                                 .bytes = bytes,
                                 .channel = channel,
                                 .state = State::kScheduled,
                                 .where = std::move(where),
                                 .scheduled_at = now,
                                 .changed_at = now};
  pending_.push_back({.sequence = sequence, .channel = channel, .started = false, .has_ended = {}});
  MarkStarted(now);
  return sequence;
}

void FlightRecorder::Watch(uint64_t sequence, std::function<bool()> has_ended) {
  const std::lock_guard lock(mutex_);
  for (auto pending = pending_.rbegin(); pending != pending_.rend(); ++pending) {
    if (pending->sequence != sequence) continue;
    pending->has_ended = std::move(has_ended);
    return;
  }
}

void FlightRecorder::End(uint64_t sequence, bool ok) {
  const double now = clock_();
  const std::lock_guard lock(mutex_);
  const auto pending = std::find_if(pending_.begin(), pending_.end(),
                                    [&](const Pending& one) { return one.sequence == sequence; });
  if (pending != pending_.end()) {
    MarkEnded(*pending, ok, now);
    pending_.erase(pending);
    MarkStarted(now);
    return;
  }
  Entry* entry = Find(sequence);
  if (ok || entry == nullptr || entry->state != State::kCompleted) return;
  entry->state = State::kFailed;  // Ended, it had been seen, but not how.
  --completed_;
  ++failed_;
}

FlightRecorder::Entry* FlightRecorder::Find(uint64_t sequence) {
  Entry& entry = ring_[sequence % kCapacity];
  return entry.sequence == sequence ? &entry : nullptr;
}

void FlightRecorder::Settle(double now) {
  std::erase_if(pending_, [&](const Pending& pending) {
    if (!pending.has_ended || !pending.has_ended()) return false;
    MarkEnded(pending, /*ok=*/true, now);
    return true;
  });
  MarkStarted(now);
}

void FlightRecorder::MarkStarted(double now) {
  // Of each channel, the first that has not ended.
  bool seen[2] = {false, false};
  for (Pending& pending : pending_) {
    bool& first_seen = seen[pending.channel == Channel::kControl];
    if (!first_seen && !pending.started) {
      pending.started = true;
      if (Entry* entry = Find(pending.sequence); entry != nullptr) {
        entry->state = State::kStarted;
        entry->changed_at = now;
      }
    }
    first_seen = true;
    if (seen[0] && seen[1]) break;
  }
}

void FlightRecorder::MarkEnded(const Pending& pending, bool ok, double now) {
  ++(ok ? completed_ : failed_);
  if (ok && pending.channel == Channel::kTensors) starting_up_ = false;
  Entry* entry = Find(pending.sequence);
  if (entry == nullptr) return;
  entry->state = ok ? State::kCompleted : State::kFailed;
  entry->changed_at = now;
}

FlightRecorder::Summary FlightRecorder::Summarize() {
  const double now = clock_();
  const std::lock_guard lock(mutex_);
  Settle(now);
  Summary summary{.scheduled = scheduled_,
                  .under_way = 0,
                  .kind = {},
                  .bytes = 0,
                  .failed = failed_,
                  .starting_up = starting_up_};
  if (pending_.empty()) return summary;
  summary.under_way = pending_.front().sequence;
  if (const Entry* entry = Find(summary.under_way); entry != nullptr) {
    summary.kind = entry->kind;
    // Texts of the control channel differ in length between ranks.
    summary.bytes = entry->channel == Channel::kTensors ? entry->bytes : 0;
  }
  return summary;
}

std::vector<FlightRecorder::Entry> FlightRecorder::Entries() {
  const double now = clock_();
  const std::lock_guard lock(mutex_);
  Settle(now);
  std::vector<Entry> entries;
  const uint64_t first = scheduled_ < kCapacity ? 1 : scheduled_ - kCapacity + 1;
  for (uint64_t sequence = first; sequence <= scheduled_; ++sequence) {
    entries.push_back(ring_[sequence % kCapacity]);
  }
  return entries;
}

std::string FlightRecorder::Describe(size_t count) {
  const std::vector<Entry> entries = Entries();
  const double now = clock_();
  const size_t shown = std::min(count, entries.size());
  std::string text;
  {
    const std::lock_guard lock(mutex_);
    text = absl::StrFormat("%d collectives: %d completed, %d failed, %d under way; the last %d:",
                           scheduled_, completed_, failed_, pending_.size(), shown);
  }
  for (size_t i = entries.size() - shown; i < entries.size(); ++i) {
    const Entry& entry = entries[i];
    absl::StrAppendFormat(
        &text,
        "\n  #%d %s, %d bytes: %s %.1f s ago; scheduled %.1f s ago at images_seen %d, phase %s",
        entry.sequence, entry.kind, entry.bytes, NameOf(entry.state), now - entry.changed_at,
        now - entry.scheduled_at, entry.where.images_seen, entry.where.phase);
  }
  return text;
}

ScopedCollective::ScopedCollective(FlightRecorder* recorder, PhaseBoard* board,
                                   std::string_view kind, int64_t bytes)
    : recorder_(recorder), wait_(board) {
  if (recorder_ == nullptr) return;
  sequence_ = recorder_->Schedule(kind, bytes, FlightRecorder::Channel::kControl);
}

ScopedCollective::~ScopedCollective() {
  if (recorder_ != nullptr) recorder_->End(sequence_, ok_);
}

}  // namespace langevin::distributed
