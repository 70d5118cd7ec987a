// Decodes foreign files in a child process, so that what a hostile file does to a decoder it does
// to a process that owns nothing.
//
// The child has limits on memory, on CPU time for each file, on open files and on the files it may
// write (none), can make few system calls (confinement.h), makes no core dumps, and dies with its
// parent. It hands images back as framed records over a socket; their headers are checked before
// they are believed. If it dies, hangs or babbles, the file counts as unreadable and the next one
// gets a new child. What it may still do is read files that the user may read.
#ifndef LANGEVIN_DATA_INGEST_SANDBOX_H_
#define LANGEVIN_DATA_INGEST_SANDBOX_H_

#include <sys/types.h>

#include <cstdint>
#include <deque>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/ingest/decoded_image.h"
#include "data/ingest/sandbox_frames.h"

namespace langevin::data {

struct SandboxLimits {
  uint64_t memory_bytes = uint64_t{2} << 30;  // Beyond what the parent has mapped.
  // CPU time for a file, and what it may take longer for each MiB of its size.
  double seconds_per_file = 60;
  double seconds_per_mib = 1;
  // How long the parent waits for the child, all together for a file (and as much longer as
  // seconds_per_mib says), before it ends it.
  int silent_seconds = 300;
  // What a file may become: no compression that is read does better than about 1,000 to 1, but few
  // bytes may truly be one large image.
  uint64_t decoded_bytes = uint64_t{4} << 30;
  uint64_t decoded_bytes_per_byte = 1100;
};

// The child's side of the border, for all that decodes. A process that was just forked for it gives
// up what decoding does not need, and keeps `socket` as descriptor kSandboxSocket. Warns, loudly,
// where the kernel cannot confine it.
inline constexpr int kSandboxSocket = 3;
void EnterSandbox(int socket, pid_t parent, const SandboxLimits& limits);
// The CPU time of this process may go on for what a source of this size may take.
void AllowTimeFor(uint64_t bytes, const SandboxLimits& limits);

// One thread at a time; any number of instances beside each other. The child is forked by Start, or
// when the first file comes, or the first after a child was lost, with all that the process has in
// memory; it dies when the thread that forked it ends.
class SandboxedDecoder {
 public:
  explicit SandboxedDecoder(DecodeFunction decode, const SandboxLimits& limits = {})
      : decode_(std::move(decode)), limits_(limits) {}
  ~SandboxedDecoder() { Stop(); }
  SandboxedDecoder(const SandboxedDecoder&) = delete;
  SandboxedDecoder& operator=(const SandboxedDecoder&) = delete;

  // Makes the child now.
  absl::Status Start();

  // Says that `path` will be decoded after those announced before, so that the child goes on with
  // it while the parent still works on another: small files would else wait for each other. Only a
  // few dozen are sent ahead; more announcements do nothing. Decode works without any.
  void Announce(const std::string& path);

  // Decodes `path` and hands its images to `sink`. Gives the reason why the file is unreadable, or
  // an empty string; some of its images may have come before the reason was found. Errors are the
  // sink's, or that no child could be made.
  absl::StatusOr<std::string> Decode(const std::string& path, const ImageSink& sink);

 private:
  // Ends the child, at once or, if it seems to be ending by itself, after a moment. Returns how it
  // went, for people.
  std::string Stop(bool seems_dead = false);
  bool Request(const std::string& path);

  const DecodeFunction decode_;
  const SandboxLimits limits_;
  pid_t child_ = -1;
  int socket_ = -1;
  FrameReceiver receiver_;
  std::deque<std::string> announced_;  // Sent to the child and not yet asked for.
  DecodedImage image_;                 // Reused: fresh memory costs as much as small images do.
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_SANDBOX_H_
