#include "data/ingest/sandbox_socket.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/base/clock.h"

namespace langevin::data {
namespace {

constexpr size_t kBufferBytes = 1 << 20;
constexpr double kLongestPollSeconds = 1e6;

}  // namespace

bool SendAll(int socket, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    // MSG_NOSIGNAL: a dead peer is an error here, not a SIGPIPE.
    const ssize_t sent = send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(sent));
  }
  return true;
}

SandboxReceiver::SandboxReceiver()
    : seconds_left_(std::numeric_limits<double>::infinity()), buffer_(kBufferBytes) {}

void SandboxReceiver::Attach(int socket) {
  socket_ = socket;
  begin_ = end_ = 0;
}

SandboxReceiver::Result SandboxReceiver::Read(std::span<std::byte> out) {
  while (!out.empty()) {
    if (begin_ == end_ && out.size() < buffer_.size()) {
      begin_ = end_ = 0;
      if (const Result result = Receive(buffer_, end_); result != Result::kOk) return result;
    }
    size_t count = std::min(out.size(), end_ - begin_);
    if (count > 0) {
      std::memcpy(out.data(), buffer_.data() + begin_, count);
      begin_ += count;
    } else if (const Result result = Receive(out, count); result != Result::kOk) {
      return result;
    }
    out = out.subspan(count);
  }
  return Result::kOk;
}

SandboxReceiver::Result SandboxReceiver::Receive(std::span<std::byte> out, size_t& count) {
  while (true) {
    const ssize_t received = recv(socket_, out.data(), out.size(), MSG_DONTWAIT);
    if (received > 0) {
      count = static_cast<size_t>(received);
      return Result::kOk;
    }
    if (received < 0 && errno == EINTR) continue;
    if (received == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) return Result::kClosed;
    if (seconds_left_ <= 0) return Result::kSilent;
    const double start = MonotonicSeconds();
    struct pollfd wanted = {.fd = socket_, .events = POLLIN, .revents = 0};
    const double wait = std::min(seconds_left_, kLongestPollSeconds);
    poll(&wanted, 1, static_cast<int>(std::ceil(wait * 1000)));
    seconds_left_ -= MonotonicSeconds() - start;
  }
}

}  // namespace langevin::data
