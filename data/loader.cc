#include "data/loader.h"

#include <algorithm>
#include <cassert>
#include <condition_variable>
#include <mutex>
#include <new>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "core/base/status_macros.h"
#include "data/block_cache.h"
#include "data/image_transform.h"
#include "data/sample_order.h"

namespace langevin::data {
namespace {

// Batches of more bytes go past the caches: whoever reads them will find them in memory anyway, and
// what a cached store reads before it writes is saved.
constexpr size_t kStreamedBytes = size_t{4} << 20;

// What an image from memory never takes, and one from a disk mostly does.
constexpr double kSlowSeconds = 50e-6;
constexpr double kSlowSecondsPerByte = 2e-9;

// Whether the image at `position` is one of those whose checksum is compared.
bool IsChecked(uint64_t seed, int64_t position, double rate) {
  if (rate >= 1) return true;
  uint64_t hash = (static_cast<uint64_t>(position) ^ seed) * 0x9e3779b97f4a7c15;
  hash ^= hash >> 32;
  hash *= 0xbf58476d1ce4e5b9;
  return static_cast<double>(hash >> 11) * 0x1p-53 < rate;
}

// Threads claim microbatches in order and put them down in a ring; Next picks up the lowest. Claims
// stay less than `prefetch` ahead of what was picked up, which bounds the memory. The one lock is
// taken twice for each microbatch, never for an image.
class ThreadedLoader : public Loader {
 public:
  ThreadedLoader(const Dataset& dataset, const LoaderOptions& options,
                 std::function<int64_t(int64_t)> first_position_of)
      : dataset_(dataset),
        options_(options),
        first_position_of_(std::move(first_position_of)),
        own_order_(options.seed, dataset.size()),
        order_(options.order != nullptr ? *options.order : own_order_),
        blocks_(dataset, order_.block_images()),
        buffers_(FloatBufferPool::Create(BatchValues())),
        is_streamed_(BatchValues() * sizeof(float) > kStreamedBytes),
        transform_(dataset.shape(), dataset.dtype(), dataset.intensity_map(), options.seed,
                   options.augment,
                   is_streamed_ ? kernels::Store::kStreamed : kernels::Store::kCached),
        ring_(static_cast<size_t>(std::max(1, options.prefetch))) {
    try {
      for (int i = 0; i < std::max(1, options.threads); ++i) {
        threads_.emplace_back([this] { Work(); });
      }
    } catch (const std::system_error& error) {
      // With at least one thread the loader is only slower.
      if (threads_.empty()) {
        failed_ = absl::ResourceExhaustedError(
            absl::StrCat("cannot start a loader thread: ", error.what()));
      }
    }
  }

  ~ThreadedLoader() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    may_claim_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  absl::StatusOr<Microbatch> Next() override {
    std::unique_lock lock(mutex_);
    if (!failed_.ok()) return failed_;
    std::optional<absl::StatusOr<Microbatch>>& slot = SlotOf(wanted_);
    if (!slot.has_value()) {
      const double start = MonotonicSeconds();
      is_ready_.wait(lock, [&slot] { return slot.has_value(); });
      seconds_waited_ += MonotonicSeconds() - start;
    }
    absl::StatusOr<Microbatch> result = *std::move(slot);
    slot.reset();
    if (!result.ok()) failed_ = result.status();
    ++wanted_;
    lock.unlock();
    may_claim_.notify_one();
    return result;
  }

  double seconds_waited() const override {
    const std::lock_guard lock(mutex_);
    return seconds_waited_;
  }

 private:
  // What a thread uses again for every microbatch.
  struct Workspace {
    std::vector<Pick> picks;
    std::vector<std::byte> pixels;
    std::vector<uint8_t> mask;
    ImageTransform::Scratch scratch;
    BlockCache::Cursor cursor;
    bool disk_is_slow = false;  // The last microbatch took longer than from memory.
  };

  size_t ImageValues() const { return static_cast<size_t>(dataset_.shape().values()); }
  size_t MaskValues() const {
    return static_cast<size_t>(dataset_.shape().height * dataset_.shape().width);
  }
  size_t BatchValues() const { return static_cast<size_t>(options_.microbatch) * ImageValues(); }

  std::optional<absl::StatusOr<Microbatch>>& SlotOf(int64_t number) {
    return ring_[static_cast<size_t>(number) % ring_.size()];
  }

  void Work() {
    Workspace workspace;
    std::unique_lock lock(mutex_);
    while (true) {
      may_claim_.wait(lock, [this] {
        return stopping_ || claimed_ < wanted_ + static_cast<int64_t>(ring_.size());
      });
      if (stopping_) return;
      const int64_t number = claimed_++;
      lock.unlock();
      absl::StatusOr<Microbatch> microbatch = MakeOrRunOutOfMemory(number, workspace);
      lock.lock();
      SlotOf(number).emplace(std::move(microbatch));
      if (number == wanted_) is_ready_.notify_one();
    }
  }

  absl::StatusOr<Microbatch> MakeOrRunOutOfMemory(int64_t number, Workspace& workspace) {
    try {
      return Make(number, workspace);
    } catch (const std::bad_alloc&) {
      return absl::ResourceExhaustedError(absl::StrCat("not enough memory for ", options_.prefetch,
                                                       " microbatches of ", options_.microbatch,
                                                       " images ahead; lower data.prefetch"));
    }
  }

  absl::StatusOr<Microbatch> Make(int64_t number, Workspace& workspace) {
    const auto count = static_cast<size_t>(options_.microbatch);
    const auto condition_size = static_cast<size_t>(dataset_.condition_size());
    Microbatch microbatch;
    microbatch.first_position = first_position_of_(number);
    microbatch.count = options_.microbatch;
    microbatch.images = buffers_->Get();
    if (dataset_.has_labels()) microbatch.labels.resize(count);
    if (dataset_.has_masks()) microbatch.masks.resize(count * MaskValues());
    microbatch.conditions.resize(count * condition_size);
    if (options_.augment.edm.probability > 0) {
      microbatch.augment_labels.resize(count * kAugmentLabels);
    }
    workspace.picks.resize(count);
    order_.PicksAt(microbatch.first_position, workspace.picks);
    // From a disk, so that it has more than one image to fetch at a time; from memory, asking for
    // it would cost as much as reading it.
    if (workspace.disk_is_slow) {
      for (const Pick& pick : workspace.picks) {
        if (pick.window < 0) dataset_.WillNeed(pick.sample);
      }
    }
    const double start = MonotonicSeconds();
    for (size_t i = 0; i < count; ++i) {
      LANGEVIN_RETURN_IF_ERROR(MakeImage(i, microbatch, workspace));
    }
    const auto stored_bytes = static_cast<double>(ImageValues() * SizeOf(dataset_.dtype()));
    workspace.disk_is_slow = (MonotonicSeconds() - start) / static_cast<double>(count) >
                             kSlowSeconds + kSlowSecondsPerByte * stored_bytes;
    if (is_streamed_) kernels::FinishStreaming();
    return microbatch;
  }

  // The i-th image of the microbatch, and what belongs to it.
  absl::Status MakeImage(size_t i, Microbatch& microbatch, Workspace& workspace) {
    const Pick& pick = workspace.picks[i];
    const int64_t position = microbatch.first_position + static_cast<int64_t>(i);
    const bool verify =
        options_.verify_checksums && IsChecked(options_.seed, position, options_.checksum_rate);
    std::span<const std::byte> pixels;
    if (pick.window >= 0) {
      LANGEVIN_ASSIGN_OR_RETURN(pixels, blocks_.Image(pick, workspace.cursor, verify));
    } else {
      workspace.pixels.resize(ImageValues() * SizeOf(dataset_.dtype()));
      LANGEVIN_RETURN_IF_ERROR(dataset_.ReadImage(pick.sample, verify, workspace.pixels));
      pixels = workspace.pixels;
    }
    ImageTransform::Output output = {
        .image = {microbatch.images.data() + i * ImageValues(), ImageValues()},
        .mask = {},
        .augment_labels = {}};
    std::span<const uint8_t> mask;
    if (!microbatch.masks.empty() || !microbatch.conditions.empty()) {
      const auto condition_size = static_cast<size_t>(dataset_.condition_size());
      // Read also where the data set has none, since the checksum is over all extras.
      workspace.mask.resize(MaskValues());
      LANGEVIN_RETURN_IF_ERROR(dataset_.ReadExtras(
          pick.sample, verify, workspace.mask,
          std::span(microbatch.conditions).subspan(i * condition_size, condition_size)));
      mask = workspace.mask;
    }
    if (!microbatch.masks.empty()) {
      output.mask = std::span(microbatch.masks).subspan(i * MaskValues(), MaskValues());
    }
    if (!microbatch.augment_labels.empty()) {
      output.augment_labels =
          std::span(microbatch.augment_labels).subspan(i * kAugmentLabels, kAugmentLabels);
    }
    transform_.Apply(position, pixels, mask, output, workspace.scratch);
    if (!microbatch.labels.empty()) microbatch.labels[i] = dataset_.label(pick.sample);
    return absl::OkStatus();
  }

  const Dataset& dataset_;
  const LoaderOptions options_;
  const std::function<int64_t(int64_t)> first_position_of_;
  const SampleOrder own_order_;
  const Order& order_;
  BlockCache blocks_;
  const std::shared_ptr<FloatBufferPool> buffers_;
  const bool is_streamed_;
  const ImageTransform transform_;

  mutable std::mutex mutex_;
  std::condition_variable may_claim_;
  std::condition_variable is_ready_;
  // All below are guarded by mutex_.
  int64_t claimed_ = 0;  // The microbatch that a thread takes next.
  int64_t wanted_ = 0;   // The microbatch that Next returns next.
  std::vector<std::optional<absl::StatusOr<Microbatch>>> ring_;  // Microbatch n at n % size.
  absl::Status failed_;
  double seconds_waited_ = 0;
  bool stopping_ = false;

  std::vector<std::thread> threads_;  // Last: they use all of the above.
};

}  // namespace

std::unique_ptr<Loader> Loader::Create(const Dataset& dataset, const LoaderOptions& options,
                                       std::function<int64_t(int64_t)> first_position_of) {
  assert(options.microbatch >= 1);
  return std::make_unique<ThreadedLoader>(dataset, options, std::move(first_position_of));
}

}  // namespace langevin::data
