#include "data/ingest/sandbox.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <new>
#include <span>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"

namespace langevin::data {
namespace {

// What both sides send. Both are the same program, so the struct's layout is shared.
struct Frame {
  enum Kind : uint32_t { kFile, kImage, kDone, kUnreadable };
  uint32_t kind = kDone;
  DType dtype = DType::kUint8;
  int32_t bits = 0;
  int32_t alpha_left_out = 0;
  ImageShape shape;
  int64_t images_in_file = 0;
  uint64_t payload_bytes = 0;  // Follow the frame: path, pixels or reason.
};

constexpr uint64_t kMaxTextBytes = 64 << 10;
constexpr size_t kSendBufferBytes = 1 << 20;

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

bool ReceiveAll(int socket, std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    errno = 0;  // A peer that has closed its end sets nothing.
    const ssize_t received = recv(socket, bytes.data(), bytes.size(), 0);
    if (received < 0 && errno == EINTR) continue;
    if (received <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(received));
  }
  return true;
}

std::span<const std::byte> BytesOf(const Frame& frame) {
  return std::as_bytes(std::span(&frame, 1));
}

// Frames of small images are sent many at a time.
class FrameSender {
 public:
  explicit FrameSender(int socket) : socket_(socket) { buffer_.reserve(kSendBufferBytes); }

  bool Send(Frame frame, std::span<const std::byte> payload) {
    frame.payload_bytes = payload.size();
    return Put(BytesOf(frame)) && Put(payload);
  }

  bool Flush() {
    const bool sent = SendAll(socket_, buffer_);
    buffer_.clear();
    return sent;
  }

 private:
  bool Put(std::span<const std::byte> bytes) {
    if (buffer_.size() + bytes.size() > kSendBufferBytes && !Flush()) return false;
    if (bytes.size() > kSendBufferBytes) return SendAll(socket_, bytes);
    buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
    return true;
  }

  const int socket_;
  std::vector<std::byte> buffer_;
};

void Limit(__rlimit_resource resource, rlim_t soft, rlim_t hard) {
  const struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};
  setrlimit(resource, &limit);
}

uint64_t MappedBytes() {
  uint64_t pages = 0;
  if (std::FILE* const file = std::fopen("/proc/self/statm", "r"); file != nullptr) {
    if (std::fscanf(file, "%lu", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

[[noreturn]] void RunChild(const DecodeFunction& decode, const SandboxLimits& limits) {
  FrameSender sender(kSandboxSocket);
  Frame request;
  while (ReceiveAll(kSandboxSocket, std::as_writable_bytes(std::span(&request, 1)))) {
    std::string path(request.payload_bytes, '\0');
    if (!ReceiveAll(kSandboxSocket, std::as_writable_bytes(std::span(path)))) break;
    struct stat info;
    AllowTimeFor(stat(path.c_str(), &info) == 0 ? static_cast<uint64_t>(info.st_size) : 0, limits);
    absl::Status status;
    try {
      status = decode(path, [&sender](const DecodedImage& image) {
        const Frame frame = {.kind = Frame::kImage,
                             .dtype = image.dtype,
                             .bits = image.bits,
                             .alpha_left_out = image.alpha_left_out ? 1 : 0,
                             .shape = image.shape,
                             .images_in_file = image.images_in_file};
        if (!sender.Send(frame, image.pixels)) _exit(1);  // The parent does not listen any more.
        return absl::OkStatus();
      });
    } catch (const std::bad_alloc&) {
      status = absl::ResourceExhaustedError(absl::StrFormat(
          "needs more than the %d MiB of memory that a file may take", limits.memory_bytes >> 20));
    }
    const std::string reason(status.message().substr(0, kMaxTextBytes));
    const bool sent = sender.Send({.kind = status.ok() ? Frame::kDone : Frame::kUnreadable},
                                  std::as_bytes(std::span(reason)));
    if (!sent || !sender.Flush()) break;
  }
  _exit(0);
}

// Whether `frame` is one that an honest decoder sends.
bool IsPossible(const Frame& frame) {
  if (frame.kind != Frame::kImage) {
    return (frame.kind == Frame::kDone || frame.kind == Frame::kUnreadable) &&
           frame.payload_bytes <= kMaxTextBytes;
  }
  const ImageShape& shape = frame.shape;
  const bool in_range = shape.height >= 1 && shape.width >= 1 && shape.channels >= 1 &&
                        shape.height <= kMaxDecodedBytes && shape.width <= kMaxDecodedBytes &&
                        shape.channels <= kMaxDecodedBytes &&
                        shape.height * shape.width <= kMaxDecodedBytes &&
                        shape.values() <= kMaxDecodedBytes;
  const bool integers = (frame.dtype == DType::kUint8 && frame.bits >= 1 && frame.bits <= 8) ||
                        (frame.dtype == DType::kUint16 && frame.bits >= 1 && frame.bits <= 16);
  return in_range && (integers || frame.dtype == DType::kFloat32) && frame.images_in_file >= 1 &&
         frame.payload_bytes == static_cast<uint64_t>(shape.values()) * SizeOf(frame.dtype) &&
         frame.payload_bytes <= static_cast<uint64_t>(kMaxDecodedBytes);
}

}  // namespace

void EnterSandbox(int socket, pid_t parent, const SandboxLimits& limits) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(1);  // It died before the line above.
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 0);
  for (const int signal : {SIGTERM, SIGUSR1, SIGXCPU}) std::signal(signal, SIG_DFL);
  const uint64_t mapped = MappedBytes();
  dup2(socket, kSandboxSocket);
  syscall(SYS_close_range, kSandboxSocket + 1, ~0U, 0);
  Limit(RLIMIT_CORE, 0, 0);
  Limit(RLIMIT_FSIZE, 0, 0);
  Limit(RLIMIT_NOFILE, 16, 16);
  Limit(RLIMIT_NPROC, 0, 0);
  Limit(RLIMIT_AS, mapped + limits.memory_bytes, mapped + limits.memory_bytes);
}

void AllowTimeFor(uint64_t bytes, const SandboxLimits& limits) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const double seconds = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + 1 +
                         limits.seconds_per_file +
                         limits.seconds_per_mib * static_cast<double>(bytes) / (1 << 20);
  Limit(RLIMIT_CPU, static_cast<rlim_t>(std::ceil(seconds)), RLIM_INFINITY);
}

absl::Status SandboxedDecoder::Start() {
  int sockets[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot make a socket for the decoding process: ", std::strerror(errno)));
  }
  const pid_t parent = getpid();
  child_ = fork();
  if (child_ == 0) {
    EnterSandbox(sockets[1], parent, limits_);
    RunChild(decode_, limits_);
  }
  close(sockets[1]);
  socket_ = sockets[0];
  if (child_ < 0) {
    const int error = errno;
    Stop();
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot start the decoding process: ", std::strerror(error)));
  }
  const struct timeval timeout = {.tv_sec = limits_.silent_seconds, .tv_usec = 0};
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  return absl::OkStatus();
}

std::string SandboxedDecoder::Stop(bool seems_dead) {
  if (socket_ >= 0) close(socket_);
  socket_ = -1;
  if (child_ < 0) return "";
  // A dying process closes its socket a little before it can be waited for.
  int status = 0;
  pid_t ended = 0;
  for (int attempt = 0; attempt < 2000 && ended == 0; ++attempt) {
    ended = waitpid(child_, &status, WNOHANG);
    if (ended != 0 || !seems_dead) break;
    usleep(1000);
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

absl::StatusOr<std::string> SandboxedDecoder::Decode(const std::string& path,
                                                     const ImageSink& sink) {
  if (child_ < 0) LANGEVIN_RETURN_IF_ERROR(Start());
  const auto given_up = [this] { return absl::StrCat("the process that decoded it ", Stop()); };
  // After a send or receive that failed. Running into the time limit sets EAGAIN.
  const auto died = [this] {
    const bool silent = errno == EAGAIN || errno == EWOULDBLOCK;
    return absl::StrCat("the process that decoded it ", Stop(/*seems_dead=*/!silent));
  };
  const Frame request = {.kind = Frame::kFile, .payload_bytes = path.size()};
  if (!SendAll(socket_, BytesOf(request)) || !SendAll(socket_, std::as_bytes(std::span(path)))) {
    return died();
  }
  DecodedImage image;
  while (true) {
    Frame frame;
    if (!ReceiveAll(socket_, std::as_writable_bytes(std::span(&frame, 1)))) return died();
    if (!IsPossible(frame)) return given_up();
    if (frame.kind != Frame::kImage) {
      std::string reason(frame.payload_bytes, '\0');
      if (!ReceiveAll(socket_, std::as_writable_bytes(std::span(reason)))) return died();
      if (frame.kind == Frame::kDone) return "";
      return reason.empty() ? "cannot be read" : reason;
    }
    image.shape = frame.shape;
    image.dtype = frame.dtype;
    image.bits = frame.bits;
    image.alpha_left_out = frame.alpha_left_out != 0;
    image.images_in_file = frame.images_in_file;
    image.pixels.resize(frame.payload_bytes);
    if (!ReceiveAll(socket_, image.pixels)) return died();
    if (const absl::Status status = sink(image); !status.ok()) {
      Stop();  // It still has images of this file to send.
      return status;
    }
  }
}

}  // namespace langevin::data
