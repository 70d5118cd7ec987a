// Decodes foreign files in a child process, so that what a hostile file does to a decoder it does
// to a process that owns nothing.
//
// The child has limits on memory, on CPU time for each file, on open files and on the files it may
// write (none), makes no core dumps, and dies with its parent. It hands images back as framed
// records over a socket; their headers are checked before they are believed. If it dies or hangs on
// a file, the file counts as unreadable and the next one gets a new child.
#ifndef LANGEVIN_DATA_INGEST_SANDBOX_H_
#define LANGEVIN_DATA_INGEST_SANDBOX_H_

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/ingest/decoded_image.h"

namespace langevin::data {

struct SandboxLimits {
  uint64_t memory_bytes = uint64_t{2} << 30;  // Beyond what the parent has mapped.
  // CPU time for a file, and what it may take longer for each MiB of its size.
  double seconds_per_file = 60;
  double seconds_per_mib = 1;
  // Without a word from the child, before it is ended.
  int silent_seconds = 300;
};

// The child's side of the border, for all that decodes. A process that was just forked for it gives
// up what decoding does not need, and keeps `socket` as descriptor kSandboxSocket.
inline constexpr int kSandboxSocket = 3;
void EnterSandbox(int socket, pid_t parent, const SandboxLimits& limits);
// The CPU time of this process may go on for what a source of this size may take.
void AllowTimeFor(uint64_t bytes, const SandboxLimits& limits);

// One thread at a time. A child is forked when the first file comes, with all that the process has
// in memory; start it before threads that hold locks.
class SandboxedDecoder {
 public:
  explicit SandboxedDecoder(DecodeFunction decode, const SandboxLimits& limits = {})
      : decode_(std::move(decode)), limits_(limits) {}
  ~SandboxedDecoder() { Stop(); }
  SandboxedDecoder(const SandboxedDecoder&) = delete;
  SandboxedDecoder& operator=(const SandboxedDecoder&) = delete;

  // Decodes `path` and hands its images to `sink`. Gives the reason why the file is unreadable, or
  // an empty string; some of its images may have come before the reason was found. Errors are the
  // sink's, or that no child could be made.
  absl::StatusOr<std::string> Decode(const std::string& path, const ImageSink& sink);

 private:
  absl::Status Start();
  // Ends the child, at once or, if it seems to be ending by itself, after a moment. Returns how it
  // went, for people.
  std::string Stop(bool seems_dead = false);

  const DecodeFunction decode_;
  const SandboxLimits limits_;
  pid_t child_ = -1;
  int socket_ = -1;
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_SANDBOX_H_
