#include "data/ingest/sandboxed_worker.h"

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/clock.h"
#include "core/base/status_macros.h"
#include "data/ingest/decoded_image.h"
#include "data/ingest/sandbox_socket.h"
#include "data/ingest/utf8.h"

namespace langevin::data {
namespace {

// Pixels, and a mask of a byte a pixel.
constexpr uint64_t kMaxPayloadBytes = 2 * static_cast<uint64_t>(kMaxDecodedBytes);
constexpr uint64_t kMaxTextBytes = 64 << 10;
constexpr size_t kBufferBytes = 1 << 20;
constexpr double kSecondsBetweenFlushes = 1;

struct Request {
  int64_t first = 0, end = 0;
};

// Both sides are the same program, so the struct's layout is shared.
struct Frame {
  enum Kind : uint32_t { kRecord, kDone };
  uint32_t kind = kDone;
  uint32_t text_bytes = 0;  // Of a record, or of the last words.
  int64_t piece = 0;
  uint64_t payload_bytes = 0;  // Of a record, or of the reason why the piece has failed.
};

// The child's end: whoever cannot send has no parent any more and ends.
class Sender {
 public:
  Sender() { buffer_.reserve(kBufferBytes); }

  void Send(Frame frame, std::span<const std::byte> text, std::span<const std::byte> payload) {
    frame.text_bytes = static_cast<uint32_t>(text.size());
    frame.payload_bytes = payload.size();
    Put(std::as_bytes(std::span(&frame, 1)));
    Put(text);
    Put(payload);
  }

  void Flush() {
    if (!SendAll(kSandboxSocket, buffer_)) _exit(1);
    buffer_.clear();
    last_flush_ = MonotonicSeconds();
  }

  void FlushIfOld() {
    if (MonotonicSeconds() - last_flush_ > kSecondsBetweenFlushes) Flush();
  }

 private:
  void Put(std::span<const std::byte> bytes) {
    if (buffer_.size() + bytes.size() > kBufferBytes) Flush();
    if (bytes.size() > kBufferBytes) {
      if (!SendAll(kSandboxSocket, bytes)) _exit(1);
      return;
    }
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  }

  std::vector<std::byte> buffer_;
  double last_flush_ = MonotonicSeconds();
};

template <typename Text>
std::span<const std::byte> BytesOf(const Text& text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

uint64_t SourceBytes(const SandboxedWork& work, int64_t piece) {
  return work.source_bytes == nullptr ? 0 : work.source_bytes(piece);
}

[[noreturn]] void RunChild(const SandboxedWork& work, const SandboxLimits& limits,
                           std::atomic<int64_t>& current) {
  SandboxReceiver receiver;
  receiver.Attach(kSandboxSocket);
  Sender sender;
  Request request;
  while (receiver.Read(std::as_writable_bytes(std::span(&request, 1))) ==
         SandboxReceiver::Result::kOk) {
    for (int64_t piece = request.first; piece < request.end; ++piece) {
      current = piece;
      // What is done does not wait for what may take much longer than it.
      const uint64_t source_bytes = SourceBytes(work, piece);
      if (source_bytes > kBufferBytes) sender.Flush();
      AllowTimeFor(source_bytes, limits);
      std::string last_words;
      absl::Status status;
      try {
        status = work.run(
            piece,
            [&sender, piece](std::string_view text, std::span<const std::byte> payload) {
              sender.Send({.kind = Frame::kRecord, .piece = piece}, BytesOf(text), payload);
            },
            last_words);
      } catch (const std::bad_alloc&) {
        status = absl::ResourceExhaustedError(
            absl::StrFormat("needs more than the %d MiB of memory that a file may take",
                            limits.memory_bytes >> 20));
      } catch (const std::exception& exception) {  // Of a library.
        status = absl::InternalError(absl::StrCat("cannot be decoded (", exception.what(), ")"));
      }
      std::string reason(status.message().substr(0, kMaxTextBytes));
      if (!status.ok() && reason.empty()) reason = "cannot be read";
      sender.Send({.kind = Frame::kDone, .piece = piece}, BytesOf(last_words), BytesOf(reason));
      sender.FlushIfOld();
    }
    sender.Flush();
  }
  _exit(0);
}

}  // namespace

SandboxedWorker::SandboxedWorker(SandboxedWork work, const SandboxLimits& limits)
    : work_(std::move(work)), limits_(limits) {}

SandboxedWorker::~SandboxedWorker() {
  Stop(/*seems_dead=*/false);
  if (current_ != nullptr) munmap(current_, sizeof(*current_));
}

absl::Status SandboxedWorker::Start() {
  if (current_ == nullptr) {
    void* const shared =
        mmap(nullptr, sizeof(*current_), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
      return absl::ResourceExhaustedError(
          absl::StrCat("cannot share memory with the decoding process: ", std::strerror(errno)));
    }
    current_ = new (shared) std::atomic<int64_t>(-1);
  }
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot make a socket for the decoding process: ", std::strerror(errno)));
  }
  const pid_t parent = getpid();
  child_ = fork();
  if (child_ == 0) {
    EnterSandbox(sockets[1], parent, limits_);
    RunChild(work_, limits_, *current_);
  }
  close(sockets[1]);
  socket_ = sockets[0];
  receiver_.Attach(socket_);
  if (child_ < 0) {
    const int error = errno;
    Stop(/*seems_dead=*/false);
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot start the decoding process: ", std::strerror(error)));
  }
  return absl::OkStatus();
}

std::string SandboxedWorker::Stop(bool seems_dead) {
  if (socket_ >= 0) close(socket_);
  socket_ = -1;
  if (child_ < 0) return "";
  // A dying process closes its socket a little before it can be waited for.
  int status = 0;
  pid_t ended = 0;
  for (int attempt = 0; seems_dead && attempt < 2000 && ended == 0; ++attempt) {
    ended = waitpid(child_, &status, WNOHANG);
    if (ended == 0) usleep(1000);
  }
  const bool by_itself = ended == child_;
  if (!by_itself) {
    kill(child_, SIGKILL);
    while (waitpid(child_, &status, 0) < 0 && errno == EINTR) {
    }
  }
  child_ = -1;
  if (!by_itself) return "was silent for too long or sent nonsense";
  if (!WIFSIGNALED(status)) return absl::StrCat("ended with ", WEXITSTATUS(status));
  if (WTERMSIG(status) == SIGXCPU) return "took too much time";
  return absl::StrCat("crashed (", strsignal(WTERMSIG(status)), ")");
}

void SandboxedWorker::AllowWaitingFor(int64_t piece) {
  receiver_.AllowWaiting(kSecondsBetweenFlushes + limits_.silent_seconds +
                         limits_.seconds_per_mib * static_cast<double>(SourceBytes(work_, piece)) /
                             (1 << 20));
}

absl::Status SandboxedWorker::Receive(int64_t& next, int64_t end, WorkReceiver& receiver,
                                      Problem& problem) {
  using Result = SandboxReceiver::Result;
  std::string text, reason;
  const auto died = [this, &problem, &next, end](Result result) {
    problem.text = Stop(/*seems_dead=*/result == Result::kClosed);
    problem.piece = std::clamp<int64_t>(*current_, next, end - 1);
    return absl::OkStatus();
  };
  // A record that is impossible is its own piece's. What is no frame may have overtaken those of
  // earlier pieces, which the child still held back: then it is that of the piece it is at, or of
  // one before, which the next attempt finds, as it goes no further than that.
  const auto nonsense = [this, &problem](int64_t piece) {
    problem.text = Stop(/*seems_dead=*/false);
    problem.piece = piece;
    return absl::OkStatus();
  };
  AllowWaitingFor(next);
  while (next < end) {
    Frame frame;
    if (const Result result = receiver_.Read(std::as_writable_bytes(std::span(&frame, 1)));
        result != Result::kOk) {
      return died(result);
    }
    const bool is_record = frame.kind == Frame::kRecord;
    if (frame.piece != next || (!is_record && frame.kind != Frame::kDone) ||
        frame.text_bytes > kMaxTextBytes ||
        frame.payload_bytes > (is_record ? kMaxPayloadBytes : kMaxTextBytes)) {
      return nonsense(std::clamp<int64_t>(*current_, next, end - 1));
    }
    text.resize(frame.text_bytes);
    if (const Result result = receiver_.Read(std::as_writable_bytes(std::span(text)));
        result != Result::kOk) {
      return died(result);
    }
    if (is_record) {
      payload_.resize(frame.payload_bytes);
      if (const Result result = receiver_.Read(payload_); result != Result::kOk) {
        return died(result);
      }
      LANGEVIN_ASSIGN_OR_RETURN(const bool possible, receiver.Record(next, text, payload_));
      if (!possible) return nonsense(next);
    } else {
      reason.resize(frame.payload_bytes);
      if (const Result result = receiver_.Read(std::as_writable_bytes(std::span(reason)));
          result != Result::kOk) {
        return died(result);
      }
      reason = PrintableText(reason, kMaxTextBytes);  // It goes to logs and reports.
      LANGEVIN_RETURN_IF_ERROR(receiver.Done(next, reason, text, /*lost=*/false));
      if (++next < end) AllowWaitingFor(next);
    }
  }
  return absl::OkStatus();
}

absl::Status SandboxedWorker::Run(int64_t first, int64_t end, WorkReceiver& receiver) {
  int64_t next = first;
  // Where the last child failed: the pieces before it are done again, and then it is passed over.
  Problem last;
  while (next < end) {
    if (next == last.piece) {
      LANGEVIN_RETURN_IF_ERROR(receiver.Done(
          next, absl::StrCat("the process that decoded it ", last.text), "", /*lost=*/true));
      ++next;
      continue;
    }
    if (child_ < 0) LANGEVIN_RETURN_IF_ERROR(Start());
    const Request request = {.first = next, .end = last.piece > next ? last.piece : end};
    // A child that is dead already says so when it does not answer.
    SendAll(socket_, std::as_bytes(std::span(&request, 1)));
    Problem problem;
    if (const absl::Status status = Receive(next, request.end, receiver, problem); !status.ok()) {
      Stop(/*seems_dead=*/false);  // It still has records to send.
      return status;
    }
    if (problem.piece < 0) continue;
    receiver.Again(next);
    last = problem;
  }
  return absl::OkStatus();
}

}  // namespace langevin::data
