#include "distributed/watchdog.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "core/base/clock.h"

namespace langevin::distributed {
namespace {

std::vector<int> PeersOf(int rank, int size, int largest_mesh) {
  std::vector<int> peers;
  for (int other = 0; other < size; ++other) {
    const bool connected = size <= largest_mesh || rank == 0 || other == 0;
    if (other != rank && connected) peers.push_back(other);
  }
  return peers;
}

}  // namespace

Watchdog::Watchdog(std::unique_ptr<HeartbeatTransport> transport, std::shared_ptr<PhaseBoard> board,
                   std::shared_ptr<FlightRecorder> recorder, Options options,
                   std::function<void(const std::string&)> on_missing)
    : transport_(std::move(transport)),
      board_(std::move(board)),
      recorder_(std::move(recorder)),
      options_(options),
      on_missing_(std::move(on_missing)),
      peers_(PeersOf(transport_->rank(), transport_->size(), kLargestMesh)),
      detector_(transport_->rank(), transport_->size(), peers_,
                /*sees_all=*/static_cast<int>(peers_.size()) + 1 == transport_->size(),
                options_.deadlines, /*now=*/0),
      goodbye_sent_(transport_->size()),
      deadlines_(options_.deadlines) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    quit_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Watchdog::Start() {
  thread_ = std::thread([this] { Run(); });
}

void Watchdog::SetDeadlines(Deadlines deadlines) {
  const std::lock_guard lock(mutex_);
  deadlines_ = deadlines;
}

absl::Status Watchdog::Stop() {
  {
    const std::lock_guard lock(mutex_);
    leaving_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  const std::lock_guard lock(mutex_);
  return failed_ ? absl::UnavailableError("a rank is missing") : absl::OkStatus();
}

void Watchdog::SendTo(int peer, Heartbeat own) {
  if (goodbye_sent_[peer]) return;
  // Also to a peer that has said goodbye: until it has ours, it watches this rank as before.
  const bool sent = transport_->Send(peer, own);
  goodbye_sent_[peer] = sent && own.goodbye;
}

std::optional<std::string> Watchdog::Judge(const std::vector<Heartbeat>& received) {
  for (const Heartbeat& heartbeat : received) {
    // What another rank has found ends the run: all say so while there is time.
    if (!heartbeat.alarm.empty()) return heartbeat.alarm;
  }
  return detector_.Check(observed_seconds_);
}

bool Watchdog::Tick(double now) {
  Heartbeat own{.rank = transport_->rank(),
                .state = board_->Read(),
                .collectives = recorder_->Summarize(),
                .goodbye = false,
                .alarm = {}};
  {
    const std::lock_guard lock(mutex_);
    if (quit_ || failed_) return false;
    own.goodbye = leaving_;
    detector_.SetDeadlines(deadlines_);
  }
  // A process that was stopped for a while (a suspended job, a debugger) has heard nobody, but not
  // because they were silent: that time does not count.
  if (last_tick_ >= 0) {
    observed_seconds_ += std::min(now - last_tick_, 4 * options_.interval_seconds);
  }
  last_tick_ = now;

  for (const int peer : peers_) SendTo(peer, own);
  detector_.Hear(own, observed_seconds_);
  const std::vector<Heartbeat> received = transport_->Receive();
  for (const Heartbeat& heartbeat : received) detector_.Hear(heartbeat, observed_seconds_);

  const bool all_told =
      std::all_of(peers_.begin(), peers_.end(), [&](int peer) { return goodbye_sent_[peer]; });
  if (own.goodbye && all_told && detector_.AllGone() && transport_->AllSent()) return false;

  const std::optional<std::string> message = Judge(received);
  if (!message.has_value()) return true;
  {
    const std::lock_guard lock(mutex_);
    failed_ = true;
  }
  own.alarm = *message;
  for (const int peer : peers_) SendTo(peer, own);
  on_missing_(*message);
  return false;
}

void Watchdog::Run() {
  while (Tick(MonotonicSeconds())) {
    std::unique_lock lock(mutex_);
    // On the way out the others wait for this rank's goodbye: no time to lose.
    const double pause = leaving_ ? 0.01 : options_.interval_seconds;
    const bool was_leaving = leaving_;
    changed_.wait_for(lock, std::chrono::duration<double>(pause),
                      [&] { return quit_ || leaving_ != was_leaving; });
  }
}

}  // namespace langevin::distributed
