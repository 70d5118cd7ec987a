// A child process that does numbered pieces of work on foreign files, many with one request.
//
// The child is forked with all that this process knows (the list of sources, options), gives up all
// else (sandbox.h), and sends back records: a text and a payload. If it dies or hangs, the piece it
// was at has failed, and a new child goes on behind it; pieces whose records were lost with it are
// done again, so that what comes out does not depend on when it died.
#ifndef LANGEVIN_DATA_INGEST_SANDBOXED_WORKER_H_
#define LANGEVIN_DATA_INGEST_SANDBOXED_WORKER_H_

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "data/ingest/sandbox.h"
#include "data/ingest/sandbox_socket.h"

namespace langevin::data {

// Hands a record to the parent; used in the child.
using EmitRecord = std::function<void(std::string_view text, std::span<const std::byte> payload)>;

// The work, in the child.
struct SandboxedWork {
  // `last_words` is a small text that goes with the piece's end. An error is the reason why the
  // piece has failed. May crash, and has no state.
  std::function<absl::Status(int64_t piece, const EmitRecord& emit, std::string& last_words)> run;
  // How large the sources of a piece are, which decides how long it may take. Empty: small.
  std::function<uint64_t(int64_t piece)> source_bytes = {};
};

// In the parent. Spans are good for the time of the call.
class WorkReceiver {
 public:
  virtual ~WorkReceiver() = default;
  // A record of `piece`. What it says is the child's word: to be checked. False: no honest child
  // sends this; the child is ended and the piece has failed.
  virtual absl::StatusOr<bool> Record(int64_t piece, std::string_view text,
                                      std::span<const std::byte> payload) = 0;
  // `piece` is done (`reason` empty) or has failed; if `lost`, the records that came are not all
  // that there would have been, and should be forgotten.
  virtual absl::Status Done(int64_t piece, const std::string& reason, const std::string& last_words,
                            bool lost) = 0;
  // The records of `piece` that have come are not all: it is done again.
  virtual void Again(int64_t piece) = 0;
};

// Used by one thread, which must live as long as its child: the child is killed with the thread
// that started it.
class SandboxedWorker {
 public:
  explicit SandboxedWorker(SandboxedWork work, const SandboxLimits& limits = {});
  ~SandboxedWorker();
  SandboxedWorker(const SandboxedWorker&) = delete;
  SandboxedWorker& operator=(const SandboxedWorker&) = delete;

  // Does the pieces from `first` to before `end`, in order. Errors are the receiver's, or that no
  // child could be made.
  absl::Status Run(int64_t first, int64_t end, WorkReceiver& receiver);

 private:
  absl::Status Start();
  // Ends the child, at once or, if it seems to be ending by itself, after a moment. Returns how it
  // went, for people.
  std::string Stop(bool seems_dead);
  // The child may keep this process waiting for as long as `piece` may take.
  void AllowWaitingFor(int64_t piece);
  // Where a child failed, and how; none where `piece` is -1.
  struct Problem {
    int64_t piece = -1;
    std::string text;
  };
  // Receives the records of the pieces from `next` on and moves it behind the last that is done.
  // The child is gone if there is a problem.
  absl::Status Receive(int64_t& next, int64_t end, WorkReceiver& receiver, Problem& problem);

  const SandboxedWork work_;
  const SandboxLimits limits_;
  pid_t child_ = -1;
  int socket_ = -1;
  SandboxReceiver receiver_;
  std::atomic<int64_t>* current_ = nullptr;  // The piece the child is at; shared with it.
  std::vector<std::byte> payload_;
};

}  // namespace langevin::data

#endif  // LANGEVIN_DATA_INGEST_SANDBOXED_WORKER_H_
