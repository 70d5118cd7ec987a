#include "data/loader.h"

#include <algorithm>
#include <cassert>
#include <condition_variable>
#include <map>
#include <mutex>
#include <new>
#include <system_error>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "core/base/status_macros.h"
#include "data/image_transform.h"
#include "data/sample_order.h"

namespace langevin::data {
namespace {

// Threads claim microbatches in order and put them down under their number; Next picks up the
// lowest. Claims stay less than `prefetch` ahead of what was picked up, which bounds the memory.
class ThreadedLoader : public Loader {
 public:
  ThreadedLoader(const Dataset& dataset, const LoaderOptions& options,
                 std::function<int64_t(int64_t)> first_position_of)
      : dataset_(dataset),
        options_(options),
        first_position_of_(std::move(first_position_of)),
        order_(options.seed, dataset.size()),
        transform_(dataset.shape(), dataset.dtype(), dataset.intensity_map(), options.seed,
                   options.augment) {
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
    if (!ready_.contains(wanted_)) {
      const double start = MonotonicSeconds();
      is_ready_.wait(lock, [this] { return ready_.contains(wanted_); });
      seconds_waited_ += MonotonicSeconds() - start;
    }
    absl::StatusOr<Microbatch> result = std::move(ready_.extract(wanted_).mapped());
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
  void Work() {
    std::vector<std::byte> pixels;
    std::unique_lock lock(mutex_);
    while (true) {
      may_claim_.wait(lock, [this] {
        return stopping_ || claimed_ < wanted_ + std::max(1, options_.prefetch);
      });
      if (stopping_) return;
      const int64_t number = claimed_++;
      lock.unlock();
      absl::StatusOr<Microbatch> microbatch = MakeOrRunOutOfMemory(number, pixels);
      lock.lock();
      ready_.emplace(number, std::move(microbatch));
      is_ready_.notify_one();
    }
  }

  absl::StatusOr<Microbatch> MakeOrRunOutOfMemory(int64_t number, std::vector<std::byte>& pixels) {
    try {
      return Make(number, pixels);
    } catch (const std::bad_alloc&) {
      return absl::ResourceExhaustedError(absl::StrCat("not enough memory for ", options_.prefetch,
                                                       " microbatches of ", options_.microbatch,
                                                       " images ahead; lower data.prefetch"));
    }
  }

  absl::StatusOr<Microbatch> Make(int64_t number, std::vector<std::byte>& pixels) const {
    const int64_t values = dataset_.shape().values();
    Microbatch microbatch;
    microbatch.first_position = first_position_of_(number);
    microbatch.count = options_.microbatch;
    microbatch.images.resize(static_cast<size_t>(microbatch.count * values));
    if (dataset_.has_labels()) microbatch.labels.resize(static_cast<size_t>(microbatch.count));
    pixels.resize(static_cast<size_t>(values) * SizeOf(dataset_.dtype()));
    for (int64_t i = 0; i < microbatch.count; ++i) {
      const int64_t position = microbatch.first_position + i;
      const int64_t sample = order_.SampleAt(position);
      LANGEVIN_RETURN_IF_ERROR(dataset_.ReadImage(sample, options_.verify_checksums, pixels));
      transform_.Apply(position, pixels,
                       std::span(microbatch.images)
                           .subspan(static_cast<size_t>(i * values), static_cast<size_t>(values)));
      if (dataset_.has_labels()) {
        microbatch.labels[static_cast<size_t>(i)] = dataset_.label(sample);
      }
    }
    return microbatch;
  }

  const Dataset& dataset_;
  const LoaderOptions options_;
  const std::function<int64_t(int64_t)> first_position_of_;
  const SampleOrder order_;
  const ImageTransform transform_;

  mutable std::mutex mutex_;
  std::condition_variable may_claim_;
  std::condition_variable is_ready_;
  // All below are guarded by mutex_.
  int64_t claimed_ = 0;  // The microbatch that a thread takes next.
  int64_t wanted_ = 0;   // The microbatch that Next returns next.
  std::map<int64_t, absl::StatusOr<Microbatch>> ready_;
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
