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
#include <exception>
#include <new>
#include <span>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "data/ingest/confinement.h"
#include "data/ingest/utf8.h"

namespace langevin::data {
namespace {

using Result = FrameReceiver::Result;

constexpr size_t kMaxReasonBytes = 1000;
constexpr size_t kMaxAnnounced = 32, kMaxAnnouncedBytes = 2048;
constexpr uint64_t kFrameCost = sizeof(ImageFrame);  // Also empty images are not free.

bool ReceiveAll(int socket, std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t received = recv(socket, bytes.data(), bytes.size(), 0);
    if (received < 0 && errno == EINTR) continue;
    if (received <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(received));
  }
  return true;
}

// Of a file; 0 where there is none.
uint64_t BytesOf(const std::string& path) {
  struct stat info;
  return stat(path.c_str(), &info) == 0 ? static_cast<uint64_t>(info.st_size) : 0;
}

void Limit(__rlimit_resource resource, rlim_t most) {
  const struct rlimit limit = {.rlim_cur = most, .rlim_max = most};
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
  ImageFrame request;
  std::string texts;
  while (ReceiveAll(kSandboxSocket, std::as_writable_bytes(std::span(&request, 1)))) {
    std::string path(request.text_bytes, '\0');
    if (!ReceiveAll(kSandboxSocket, std::as_writable_bytes(std::span(path)))) break;
    AllowTimeFor(BytesOf(path), limits);
    absl::Status status;
    try {
      status = decode(path, [&](const DecodedImage& image) {
        const ImageFrame frame = FrameOf(image, texts);
        if (!sender.Send(frame, texts, &image)) _exit(1);  // The parent does not listen any more.
        return absl::OkStatus();
      });
    } catch (const std::bad_alloc&) {
      status = absl::ResourceExhaustedError(absl::StrFormat(
          "needs more than the %d MiB of memory that a file may take", limits.memory_bytes >> 20));
    } catch (const std::exception& exception) {  // Of a library.
      status = absl::InternalError(absl::StrCat("cannot be decoded (", exception.what(), ")"));
    }
    const std::string reason(status.message().substr(0, kMaxReasonBytes));
    const uint32_t kind = status.ok() ? ImageFrame::kDone : ImageFrame::kUnreadable;
    if (!sender.Send({.kind = kind}, reason) || !sender.Flush()) break;
  }
  _exit(0);
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
  Limit(RLIMIT_CORE, 0);
  Limit(RLIMIT_FSIZE, 0);
  Limit(RLIMIT_NOFILE, 16);
  Limit(RLIMIT_NPROC, 0);
  Limit(RLIMIT_AS, mapped + limits.memory_bytes);
  if (const int error = ConfineProcess(kSandboxSocket); error != 0) {
    LogWarning(
        "foreign files are decoded without a seccomp filter (%s): a hostile file is kept by limits "
        "alone; use a kernel with seccomp, or take files from people whom you trust",
        std::strerror(error));
  }
}

void AllowTimeFor(uint64_t bytes, const SandboxLimits& limits) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const double seconds = static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + 1 +
                         limits.seconds_per_file +
                         limits.seconds_per_mib * static_cast<double>(bytes) / (1 << 20);
  const struct rlimit limit = {.rlim_cur = static_cast<rlim_t>(std::ceil(seconds)),
                               .rlim_max = RLIM_INFINITY};
  setrlimit(RLIMIT_CPU, &limit);
}

absl::Status SandboxedDecoder::Start() {
  if (child_ >= 0) return absl::OkStatus();
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
  const int fork_error = errno;
  close(sockets[1]);
  socket_ = sockets[0];
  receiver_.Attach(socket_);
  if (child_ < 0) {
    Stop();
    return absl::ResourceExhaustedError(
        absl::StrCat("cannot start the decoding process: ", std::strerror(fork_error)));
  }
  return absl::OkStatus();
}

std::string SandboxedDecoder::Stop(bool seems_dead) {
  announced_.clear();
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

bool SandboxedDecoder::Request(const std::string& path) {
  const ImageFrame request = {.kind = ImageFrame::kFile, .text_bytes = path.size()};
  std::string message(reinterpret_cast<const char*>(&request), sizeof(request));
  message += path;
  return SendAll(socket_, std::as_bytes(std::span(message)));
}

void SandboxedDecoder::Announce(const std::string& path) {
  // As much as the socket takes without waiting for the child, which may wait for us.
  if (child_ < 0 || announced_.size() >= kMaxAnnounced || path.size() > kMaxAnnouncedBytes) return;
  // A child that is gone is found by Decode.
  if (Request(path)) announced_.push_back(path);
}

absl::StatusOr<std::string> SandboxedDecoder::Decode(const std::string& path,
                                                     const ImageSink& sink) {
  if (!announced_.empty() && announced_.front() != path) Stop();  // It works on what is not wanted.
  LANGEVIN_RETURN_IF_ERROR(Start());
  const uint64_t file_bytes = BytesOf(path);
  receiver_.AllowWaiting(limits_.silent_seconds +
                         limits_.seconds_per_mib * static_cast<double>(file_bytes) / (1 << 20));
  const auto given_up = [this] { return absl::StrCat("the process that decoded it ", Stop()); };
  const auto died = [this](Result result) {
    return absl::StrCat("the process that decoded it ", Stop(result == Result::kClosed));
  };
  if (!announced_.empty()) {
    announced_.pop_front();  // It is this one.
  } else if (!Request(path)) {
    return died(Result::kClosed);
  }
  uint64_t decoded = 0;
  DecodedImage& image = image_;
  std::string texts;
  while (true) {
    ImageFrame frame;
    Result result = receiver_.Read(std::as_writable_bytes(std::span(&frame, 1)));
    if (result != Result::kOk) return died(result);
    if (!IsPossible(frame)) return given_up();
    texts.resize(frame.text_bytes);
    result = receiver_.Read(std::as_writable_bytes(std::span(texts)));
    if (result != Result::kOk) return died(result);
    if (frame.kind != ImageFrame::kImage) {
      if (frame.kind == ImageFrame::kDone) return "";
      return texts.empty() ? "cannot be read" : PrintableText(texts, kMaxReasonBytes);
    }
    if (!FillImage(frame, texts, image)) return given_up();
    decoded += kFrameCost + frame.pixel_bytes + frame.mask_bytes;
    if (decoded / limits_.decoded_bytes_per_byte > file_bytes &&
        decoded - limits_.decoded_bytes_per_byte * file_bytes > limits_.decoded_bytes) {
      Stop();
      return absl::StrFormat("becomes more than %d bytes of images, too much for its size",
                             decoded);
    }
    image.pixels.resize(frame.pixel_bytes);
    image.mask.resize(frame.mask_bytes);
    image.extra.resize(frame.extra_bytes);
    for (const std::span<std::byte> part :
         {std::span(image.pixels), std::as_writable_bytes(std::span(image.mask)),
          std::span(image.extra)}) {
      result = receiver_.Read(part);
      if (result != Result::kOk) return died(result);
    }
    for (const uint8_t valid : image.mask) {
      if (valid > 1) return given_up();
    }
    if (const absl::Status status = sink(image); !status.ok()) {
      Stop();  // It still has images of this file to send.
      return status;
    }
  }
}

}  // namespace langevin::data
