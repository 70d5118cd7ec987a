#include "data/ingest/analyse_job.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "absl/strings/str_format.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/status_macros.h"
#include "data/ingest/analyse_item.h"
#include "data/ingest/image_record.h"
#include "data/ingest/sandboxed_worker.h"
#include "data/ingest/spool.h"

namespace langevin::data {
namespace {

// A chunk has at most this much of the sources, but at least one item.
constexpr uint64_t kChunkBytes = 16 << 20;
constexpr int64_t kChunkItems = 256;

constexpr auto kPollInterval = std::chrono::milliseconds(200);
constexpr double kSecondsBetweenStatusLines = 2;

// What the threads of a rank share.
class SharedState {
 public:
  void Fail(const absl::Status& status) {
    const std::lock_guard lock(mutex_);
    if (status_.ok()) status_ = status;
    stopping_ = true;
  }
  absl::Status status() {
    const std::lock_guard lock(mutex_);
    return status_;
  }
  bool stopping() const { return stopping_; }

  void ThreadDone() {
    const std::lock_guard lock(mutex_);
    ++threads_done_;
    done_.notify_all();
  }
  // Whether all threads have ended; waits a moment for it.
  bool Wait(size_t threads) {
    std::unique_lock lock(mutex_);
    return done_.wait_for(lock, kPollInterval, [&] { return threads_done_ == threads; });
  }

  std::atomic<size_t> next_chunk = 0;  // Index into this rank's chunks.
  std::atomic<int64_t> images = 0;
  std::atomic<uint64_t> bytes = 0;  // Of the items that are done, and one each.

 private:
  std::mutex mutex_;
  std::condition_variable done_;
  absl::Status status_;
  size_t threads_done_ = 0;
  std::atomic<bool> stopping_ = false;
};

// Takes a chunk's records from the child into its spool file.
class SpoolReceiver : public WorkReceiver {
 public:
  SpoolReceiver(const PrepareContext& context, SpoolWriter& writer, SharedState& state)
      : context_(context), writer_(writer), state_(state) {}

  absl::StatusOr<bool> Record(int64_t item, std::string_view text,
                              std::span<const std::byte> payload) override {
    if (state_.stopping()) return absl::CancelledError("");
    proto::SpoolImage image;
    if (!image.ParseFromArray(text.data(), static_cast<int>(text.size())) ||
        !IsPossible(image, payload)) {
      return false;
    }
    image.set_item(item);
    LANGEVIN_RETURN_IF_ERROR(writer_.AddImage(std::move(image), payload));
    ++state_.images;
    return true;
  }

  absl::Status Done(int64_t item, const std::string& reason, const std::string& last_words,
                    bool lost) override {
    if (state_.stopping()) return absl::CancelledError("");
    const SourceFile& file = context_.sources.files[static_cast<size_t>(item)];
    proto::SpoolItem result;
    result.set_item(item);
    result.set_reason(reason);
    result.set_contents(lost ? ContentsOf(file) : last_words);
    if (lost) writer_.DropItem();
    writer_.EndItem(std::move(result));
    state_.bytes += file.bytes + 1;
    return absl::OkStatus();
  }

  void Again(int64_t /*item*/) override { writer_.DropItem(); }

 private:
  const PrepareContext& context_;
  SpoolWriter& writer_;
  SharedState& state_;
};

uint64_t BytesOf(const Sources& sources, const Chunk& chunk) {
  uint64_t bytes = 0;
  for (int64_t item = chunk.first; item < chunk.end; ++item) {
    bytes += sources.files[static_cast<size_t>(item)].bytes + 1;
  }
  return bytes;
}

// Whether the chunk is in the spool already, undamaged.
absl::StatusOr<bool> IsComplete(const PrepareContext& context, const std::string& path) {
  const auto reader = SpoolReader::Open(context.file_system, path, context.folder.key());
  const absl::Status status = reader.ok() ? (*reader)->Verify() : reader.status();
  if (status.ok()) return true;
  if (absl::IsNotFound(status) || absl::IsDataLoss(status)) return false;
  return status;
}

absl::Status AnalyseChunk(const PrepareContext& context, int64_t number, const Chunk& chunk,
                          SandboxedWorker& worker, SharedState& state) {
  const std::string path = context.folder.SpoolPath(number);
  LANGEVIN_ASSIGN_OR_RETURN(const bool complete, IsComplete(context, path));
  if (complete) {
    state.bytes += BytesOf(context.sources, chunk);
    return absl::OkStatus();
  }
  LANGEVIN_ASSIGN_OR_RETURN(SpoolWriter writer,
                            SpoolWriter::Create(context.file_system, path, context.folder.key()));
  SpoolReceiver receiver(context, writer, state);
  LANGEVIN_RETURN_IF_ERROR(worker.Run(chunk.first, chunk.end, receiver));
  return writer.Finish();
}

// The status line: how far, how fast, how long still.
class Progress {
 public:
  explicit Progress(uint64_t total) : total_(static_cast<double>(total)) {}
  ~Progress() { LogStatusLine(""); }

  void Show(const SharedState& state, int ranks) {
    const double now = MonotonicSeconds();
    const double done = static_cast<double>(state.bytes);
    if (now - last_line_ < kSecondsBetweenStatusLines || done == 0) return;
    last_line_ = now;
    const double seconds = now - start_;
    LogStatusLine(absl::StrFormat(
        "prepare %3.0f%%  %s%.0f images/s  %.1f MB/s  %s left", 100 * done / total_,
        ranks > 1 ? absl::StrFormat("%d ranks  ", ranks) : "",
        static_cast<double>(state.images) * ranks / seconds, done * 1e-6 * ranks / seconds,
        FormatDuration(seconds * (total_ - done) / done)));
  }

 private:
  const double total_;
  const double start_ = MonotonicSeconds();
  double last_line_ = start_;
};

absl::Status AnalyseShare(const PrepareContext& context, const std::vector<Chunk>& chunks) {
  std::vector<size_t> mine;
  uint64_t bytes = 0;
  for (size_t chunk = 0; chunk < chunks.size(); ++chunk) {
    if (static_cast<int>(chunk) % context.group.size() != context.group.rank()) continue;
    mine.push_back(chunk);
    bytes += BytesOf(context.sources, chunks[chunk]);
  }
  SharedState state;
  const auto work = [&] {
    SandboxedWorker worker(AnalysisOf(context.sources, context.config, context.privacy));
    for (size_t i = state.next_chunk++; i < mine.size() && !state.stopping();
         i = state.next_chunk++) {
      const absl::Status status =
          AnalyseChunk(context, static_cast<int64_t>(mine[i]), chunks[mine[i]], worker, state);
      if (!status.ok()) state.Fail(status);
    }
    state.ThreadDone();
  };
  std::vector<std::thread> threads;
  const size_t count = std::min(mine.size(), static_cast<size_t>(std::max(1, context.workers)));
  for (size_t i = 0; i < count; ++i) threads.emplace_back(work);
  {
    Progress progress(bytes);
    while (!state.Wait(count)) {
      progress.Show(state, context.group.size());
      if (state.stopping()) continue;
      if (const absl::Status status = CheckStop(context); !status.ok()) state.Fail(status);
    }
  }
  for (std::thread& thread : threads) thread.join();
  // An error here is the others' wish to stop.
  if (!state.status().ok()) context.folder.RequestStop();
  return state.status();
}

}  // namespace

std::vector<Chunk> CutIntoChunks(const Sources& sources) {
  std::vector<Chunk> chunks;
  uint64_t bytes = 0;
  for (size_t item = 0; item < sources.files.size(); ++item) {
    const uint64_t size = sources.files[item].bytes;
    if (chunks.empty() || chunks.back().end - chunks.back().first == kChunkItems ||
        bytes + size > kChunkBytes) {
      chunks.push_back({.first = static_cast<int64_t>(item)});
      bytes = 0;
    }
    chunks.back().end = static_cast<int64_t>(item) + 1;
    bytes += size;
  }
  return chunks;
}

absl::Status ShareOutcome(Group& group, const absl::Status& status) {
  const absl::Status error = absl::IsCancelled(status) ? absl::OkStatus() : status;
  LANGEVIN_RETURN_IF_ERROR(GatherIfAllOk(group, error, "").status());
  return GatherIfAllOk(group, status, "").status();
}

absl::Status CheckStop(const PrepareContext& context) {
  if (context.stop_requested != nullptr && context.stop_requested()) context.folder.RequestStop();
  if (!context.folder.StopRequested()) return absl::OkStatus();
  return absl::CancelledError(
      "prepare was asked to stop; run the same command again, and it goes on");
}

absl::Status AnalyseSources(const PrepareContext& context) {
  const absl::Status status = AnalyseShare(context, CutIntoChunks(context.sources));
  return ShareOutcome(context.group, status);
}

absl::StatusOr<AnalysedSources> ReadAnalysis(const PrepareContext& context) {
  const std::vector<Chunk> chunks = CutIntoChunks(context.sources);
  AnalysedSources result;
  for (size_t chunk = 0; chunk < chunks.size(); ++chunk) {
    const std::string path = context.folder.SpoolPath(static_cast<int64_t>(chunk));
    LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<SpoolReader> reader,
                              SpoolReader::Open(context.file_system, path, context.folder.key()));
    for (const proto::SpoolItem& item : reader->chunk().item()) {
      result.items.push_back({.reason = item.reason(), .contents = item.contents()});
    }
    for (const proto::SpoolImage& image : reader->chunk().image()) {
      result.images.push_back(RecordFromProto(image));
      result.places.push_back({.chunk = static_cast<int32_t>(chunk),
                               .crc32c = image.crc32c(),
                               .offset = image.offset(),
                               .pixel_bytes = image.pixel_bytes(),
                               .mask_bytes = image.mask_bytes()});
    }
  }
  if (result.items.size() != context.sources.files.size()) {
    return absl::InternalError(absl::StrFormat("the spool has %d of %d source files",
                                               result.items.size(), context.sources.files.size()));
  }
  return result;
}

}  // namespace langevin::data
