#include "tools/bench_loader.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/clock.h"
#include "core/base/status_macros.h"
#include "data/dataset_writer.h"
#include "data/loader.h"
#include "tools/bench_report.h"

namespace langevin::tools {
namespace {

constexpr int64_t kShardBytes = int64_t{256} << 20;
constexpr size_t kCopyBytes = size_t{64} << 20;
constexpr int kCopies = 8;

// Bytes that zlib cannot shorten, as the peer's.
void FillRandom(uint64_t& state, std::vector<std::byte>& pixels) {
  for (size_t i = 0; i < pixels.size(); ++i) {
    if (i % 8 == 0) {
      state ^= state << 13;
      state ^= state >> 7;
      state ^= state << 17;
    }
    pixels[i] = static_cast<std::byte>(state >> (i % 8 * 8));
  }
}

absl::Status MakeDataset(FileSystem& file_system, const LoaderBenchOptions& options,
                         const std::string& folder) {
  LANGEVIN_RETURN_IF_ERROR(file_system.CreateFolders(folder));
  const data::ShardSpec spec = {
      .shape = {.height = options.side, .width = options.side, .channels = 3},
      .dtype = DType::kUint8,
      .intensity_map = {.scale = 1 / 127.5, .offset = -1},
      .compressed = options.layout == "compressed"};
  std::unique_ptr<RandomAccessFile> images;
  if (!options.images.empty()) {
    LANGEVIN_ASSIGN_OR_RETURN(images, file_system.OpenForReading(options.images));
  }
  data::DatasetWriter writer(file_system, folder, spec, {}, kShardBytes);
  std::vector<std::byte> pixels(static_cast<size_t>(spec.image_bytes()));
  uint64_t state = 0x9e3779b97f4a7c15;
  for (int64_t i = 0; i < options.count; ++i) {
    if (images != nullptr) {
      LANGEVIN_RETURN_IF_ERROR(images->ReadAt(static_cast<uint64_t>(i) * pixels.size(), pixels));
    } else {
      FillRandom(state, pixels);
    }
    LANGEVIN_RETURN_IF_ERROR(writer.Add(data::Split::kTrain, {.pixels = pixels}));
  }
  return writer.Finish(/*rejected=*/0, "langevin bench loader").status();
}

// Bytes read and written a second while each of `threads` copies memory that no cache holds.
double CopyBandwidth(int threads) {
  std::vector<std::vector<char>> from(static_cast<size_t>(threads)), to(from.size());
  for (size_t i = 0; i < from.size(); ++i) {
    from[i].assign(kCopyBytes, 'a');
    to[i].assign(kCopyBytes, 'b');
  }
  const double start = MonotonicSeconds();
  std::vector<std::thread> copiers;
  for (size_t i = 0; i < from.size(); ++i) {
    copiers.emplace_back([&, i] {
      for (int copy = 0; copy < kCopies; ++copy) {
        std::memcpy(to[i].data(), from[i].data(), kCopyBytes);
      }
    });
  }
  for (std::thread& copier : copiers) copier.join();
  const double seconds = MonotonicSeconds() - start;
  return 2.0 * static_cast<double>(kCopyBytes) * kCopies * threads / seconds;
}

// Images a second over one epoch.
absl::StatusOr<double> TimeEpoch(const LoaderBenchOptions& options, const data::Dataset& dataset,
                                 int64_t epoch) {
  configs::DataConfig config;
  if (options.order == "block") config.order = configs::DataOrder::kBlock;
  LANGEVIN_ASSIGN_OR_RETURN(
      const std::unique_ptr<data::Order> order,
      data::MakeOrder(dataset, config, /*seed=*/1, /*global_batch=*/options.batch));
  const int64_t batches = options.count / options.batch;
  const int64_t first = epoch * batches;
  const double start = MonotonicSeconds();
  const std::unique_ptr<data::Loader> loader =
      data::Loader::Create(dataset,
                           {.seed = 1,
                            .augment = {.horizontal_flip = true},
                            .microbatch = options.batch,
                            .threads = options.threads,
                            .prefetch = 2 * options.threads + 2,
                            .order = order.get()},
                           [&](int64_t k) { return (first + k) * options.batch; });
  for (int64_t i = 0; i < batches; ++i) {
    LANGEVIN_ASSIGN_OR_RETURN(const data::Microbatch batch, loader->Next());
    if (batch.count != options.batch) return absl::InternalError("a batch of another size");
  }
  return static_cast<double>(batches * options.batch) / (MonotonicSeconds() - start);
}

}  // namespace

absl::Status BenchLoader(const LoaderBenchOptions& options, launch::MpiRuntime& runtime) {
  if (runtime.size() > 1) {
    return absl::InvalidArgumentError(
        "bench loader measures one process; start it without mpirun, with --threads");
  }
  if (options.batch > options.count) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "--batch %d: must be at most --count, which is %d", options.batch, options.count));
  }
  FileSystem& file_system = PosixFileSystem();
  const std::string folder =
      JoinPath(options.work, absl::StrCat("langevin_", options.side, "_", options.count, "_",
                                          options.layout, options.images.empty() ? "" : "_given"));
  if (!file_system.Exists(JoinPath(folder, data::kManifestName))) {
    LANGEVIN_RETURN_IF_ERROR(MakeDataset(file_system, options, folder));
  }
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<data::Dataset> dataset,
                            data::Dataset::Open(file_system, folder, data::Split::kTrain));
  std::vector<double> rates, bandwidths;
  for (int epoch = 0; epoch <= options.epochs; ++epoch) {
    LANGEVIN_ASSIGN_OR_RETURN(const double rate, TimeEpoch(options, *dataset, epoch));
    if (epoch == 0) continue;  // Brings the files into the page cache.
    rates.push_back(rate);
    bandwidths.push_back(CopyBandwidth(options.threads));
  }
  const double rate = Median(rates), bandwidth = Median(bandwidths);
  // Each image's bytes are read and its floats written.
  const double bytes_per_s = rate * static_cast<double>(dataset->shape().values()) * 5;
  PrintJsonLine({{"peer", "langevin"},
                 {"side", options.side},
                 {"count", options.count},
                 {"images_per_s", std::round(rate)},
                 {"threads", options.threads},
                 {"layout", options.layout},
                 {"order", options.order},
                 {"bytes_per_s", std::round(bytes_per_s)},
                 {"copy_bytes_per_s", std::round(bandwidth)},
                 {"share_of_copy", Rounded(bytes_per_s / bandwidth)}});
  return absl::OkStatus();
}

}  // namespace langevin::tools
