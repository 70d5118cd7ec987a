#include "data/ingest/prepare_job.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <memory>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/staging_folder.h"
#include "core/base/status_macros.h"
#include "data/dataset_writer.h"
#include "data/describe.h"
#include "data/ingest/decoders.h"
#include "data/ingest/inputs_digest.h"
#include "data/ingest/report.h"
#include "data/ingest/sandbox.h"
#include "data/ingest/source_scan.h"
#include "data/ingest/statistics.h"

namespace langevin::data {
namespace {

constexpr size_t kMaxWarnings = 20;  // The rest are counted; rejected.csv has all.
constexpr double kSecondsBetweenStatusLines = 2;

// The images of one shape and format.
struct Kind {
  ShardSpec spec;
  int64_t count = 0;
  std::string first_file;
};

// The status line: how far, how fast, how long still.
class Progress {
 public:
  explicit Progress(const Sources& sources) {
    for (const SourceFile& file : sources.files) total_ += static_cast<double>(file.bytes) + 1;
  }
  ~Progress() { LogStatusLine(""); }

  // `part` of `file` has been read, which began when `done_` was done.
  void ImageDone(const SourceFile& file, double part) {
    ++images_;
    const double now = MonotonicSeconds();
    if (now - last_line_ < kSecondsBetweenStatusLines) return;
    last_line_ = now;
    const double seconds = now - start_;
    const double share = (done_ + part * (static_cast<double>(file.bytes) + 1)) / total_;
    LogStatusLine(absl::StrFormat("prepare %3.0f%%  %d images  %.0f images/s  %s left", 100 * share,
                                  images_, static_cast<double>(images_) / seconds,
                                  FormatDuration(seconds * (1 - share) / share)));
  }
  void FileDone(const SourceFile& file) { done_ += static_cast<double>(file.bytes) + 1; }

 private:
  const double start_ = MonotonicSeconds();
  double last_line_ = start_;
  double total_ = 0;
  double done_ = 0;
  int64_t images_ = 0;
};

IntensityMap MapForDepth(const DecodedImage& image) {
  if (image.dtype == DType::kFloat32) return {};
  return {.scale = 2 / (std::ldexp(1, image.bits) - 1), .offset = -1};
}

class PrepareJob {
 public:
  PrepareJob(FileSystem& file_system, const PrepareOptions& options, const std::string& target,
             Sources sources)
      : file_system_(file_system),
        options_(options),
        target_(target),
        sources_(std::move(sources)),
        digest_(options, sources_),
        progress_(sources_),
        decoder_([](const std::string& path, const ImageSink& sink) {
          return DecodeFile(path, DecodeOptions(), sink);
        }) {}

  absl::StatusOr<std::string> Run() {
    for (const Rejection& row : std::exchange(sources_.rejected, {})) Reject(row.path, row.reason);
    for (const SourceFile& file : sources_.files) {
      LANGEVIN_RETURN_IF_ERROR(AddFile(file));
      progress_.FileDone(file);
    }
    if (rejected_.size() > kMaxWarnings) {
      LogWarning("%d further files were rejected; %s lists all", rejected_.size() - kMaxWarnings,
                 kRejectedName);
    }
    LANGEVIN_RETURN_IF_ERROR(CheckResult());
    return options_.dry_run ? Summary() : Write();
  }

 private:
  absl::Status AddFile(const SourceFile& file) {
    digest_.Add(file_system_, file);
    std::vector<uint8_t> labels;
    if (!file.labels_path.empty()) {
      LANGEVIN_ASSIGN_OR_RETURN(labels, ReadIdxLabels(file.labels_path));
    }
    int64_t index = 0;
    LANGEVIN_ASSIGN_OR_RETURN(
        const std::string reason,
        decoder_.Decode(file.path, [&](const DecodedImage& image) -> absl::Status {
          int64_t label = file.label;
          if (sources_.is_idx) {
            LANGEVIN_RETURN_IF_ERROR(CheckIdxImage(file, image, labels));
            if (!labels.empty()) label = labels[static_cast<size_t>(index)];
          }
          LANGEVIN_RETURN_IF_ERROR(AddImage(file, index++, image, label));
          progress_.ImageDone(
              file, static_cast<double>(index) / static_cast<double>(image.images_in_file));
          return absl::OkStatus();
        }));
    if (!reason.empty()) {
      // An IDX file holds the whole of a split: without it there is no data set.
      if (sources_.is_idx) return Unusable(file.path, reason);
      Reject(file.path, reason);
    } else if (sources_.is_idx && index == 0) {
      return Unusable(file.path, "holds no image");
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<uint8_t>> ReadIdxLabels(const std::string& path) {
    std::vector<uint8_t> labels;
    LANGEVIN_ASSIGN_OR_RETURN(
        const std::string reason, decoder_.Decode(path, [&](const DecodedImage& image) {
          if (image.images_in_file != 1 || image.shape.height != 1) {
            return Unusable(path, "holds images, where labels are expected");
          }
          if (image.dtype != DType::kUint8 || image.physical.offset != 0) {
            return Unusable(path, "holds labels that are no unsigned bytes");
          }
          labels.resize(image.pixels.size());
          std::transform(image.pixels.begin(), image.pixels.end(), labels.begin(),
                         [](std::byte value) { return std::to_integer<uint8_t>(value); });
          return absl::OkStatus();
        }));
    if (!reason.empty()) return Unusable(path, reason);
    if (labels.empty()) return Unusable(path, "holds no label");
    return labels;
  }

  static absl::Status CheckIdxImage(const SourceFile& file, const DecodedImage& image,
                                    const std::vector<uint8_t>& labels) {
    if (image.images_in_file == 1 && image.shape.height == 1) {
      return Unusable(file.path, "holds labels, where images are expected");
    }
    if (!labels.empty() && image.images_in_file != static_cast<int64_t>(labels.size())) {
      return Unusable(file.path,
                      absl::StrFormat("holds %d images, but %s has %d labels", image.images_in_file,
                                      file.labels_path, labels.size()));
    }
    return absl::OkStatus();
  }

  absl::Status AddImage(const SourceFile& file, int64_t index, const DecodedImage& image,
                        int64_t label) {
    const ShardSpec spec = {.shape = image.shape,
                            .dtype = image.dtype,
                            .intensity_map = MapForDepth(image),
                            .has_labels = sources_.has_labels};
    auto kind = std::find_if(kinds_.begin(), kinds_.end(), [&spec](const Kind& known) {
      return known.spec.shape == spec.shape && known.spec.dtype == spec.dtype &&
             known.spec.intensity_map.scale == spec.intensity_map.scale;
    });
    if (kind == kinds_.end()) {
      kind = kinds_.insert(kind, {.spec = spec, .count = 0, .first_file = file.path});
    }
    ++kind->count;
    if (kinds_.size() > 1) return absl::OkStatus();  // No data set any more: only counted.

    const Split split = SplitOf(file, index);
    statistics_.Add(image, split, label);
    if (options_.dry_run) return absl::OkStatus();
    if (staging_ == nullptr) {
      LANGEVIN_ASSIGN_OR_RETURN(staging_, StagingFolder::Create(file_system_, target_));
      writer_.emplace(file_system_, staging_->path(), spec, sources_.class_names,
                      options_.shard_mib << 20);
    }
    return writer_->Add(split, image.pixels, label);
  }

  Split SplitOf(const SourceFile& file, int64_t index) const {
    if (options_.validation_fraction == 0) return file.split;
    const uint64_t hash = HashString(absl::StrCat(file.name(), "#", index), /*seed=*/0);
    return std::ldexp(static_cast<double>(hash >> 11), -53) < options_.validation_fraction
               ? Split::kValidation
               : Split::kTrain;
  }

  absl::Status CheckResult() const {
    if (kinds_.empty()) {
      return absl::DataLossError(
          absl::StrFormat("none of the %d files can be read; the first is %s: %s", rejected_.size(),
                          rejected_.front().path, rejected_.front().reason));
    }
    if (kinds_.size() > 1) {
      std::vector<Kind> kinds = kinds_;
      std::stable_sort(kinds.begin(), kinds.end(),
                       [](const Kind& a, const Kind& b) { return a.count > b.count; });
      const auto text = [](const Kind& kind) {
        return absl::StrFormat("%s is %s (%d such)", kind.first_file,
                               Describe(kind.spec.shape, kind.spec.dtype), kind.count);
      };
      return absl::DataLossError(absl::StrCat(
          "the images differ in height, width, channels or depth: ", text(kinds[0]), ", ",
          text(kinds[1]),
          kinds.size() > 2 ? absl::StrCat(", and ", kinds.size() - 2, " more kinds") : "",
          "; bring all to one size and kind first"));
    }
    if (options_.validation_fraction > 0) {
      for (const Split split : {Split::kTrain, Split::kValidation}) {
        if (statistics_.count(split) > 0) continue;
        return absl::InvalidArgumentError(absl::StrFormat(
            "--validation_fraction %g leaves no image for split %s; choose another one",
            options_.validation_fraction, NameOfSplit(split)));
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Write() {
    LANGEVIN_ASSIGN_OR_RETURN(
        const Manifest manifest,
        writer_->Finish(static_cast<int64_t>(rejected_.size()), digest_.Hex()));
    LANGEVIN_ASSIGN_OR_RETURN(const std::string report,
                              ReportHtml(BaseName(target_), manifest, statistics_, rejected_));
    LANGEVIN_RETURN_IF_ERROR(
        file_system_.WriteFileDurably(JoinPath(staging_->path(), kReportName), report));
    LANGEVIN_RETURN_IF_ERROR(file_system_.WriteFileDurably(
        JoinPath(staging_->path(), kRejectedName), RejectedCsv(rejected_)));
    LANGEVIN_RETURN_IF_ERROR(staging_->Commit());
    return DescribeDataset(file_system_, target_);
  }

  std::string Summary() const {
    return absl::StrFormat("dry run: %s, train %d, validation %d, rejected %d; nothing written\n",
                           Describe(kinds_[0].spec.shape, kinds_[0].spec.dtype),
                           statistics_.count(Split::kTrain), statistics_.count(Split::kValidation),
                           rejected_.size());
  }

  void Reject(const std::string& path, const std::string& reason) {
    if (rejected_.size() < kMaxWarnings) LogWarning("%s: rejected: %s", path, reason);
    rejected_.push_back({.path = path, .reason = reason});
  }

  static absl::Status Unusable(const std::string& path, std::string_view problem) {
    return absl::DataLossError(
        absl::StrFormat("%s: %s; replace the file by a good copy", path, problem));
  }

  FileSystem& file_system_;
  const PrepareOptions& options_;
  const std::string target_;
  Sources sources_;
  InputsDigest digest_;
  Progress progress_;
  SandboxedDecoder decoder_;
  Statistics statistics_;
  std::vector<Kind> kinds_;
  std::vector<Rejection> rejected_;
  std::unique_ptr<StagingFolder> staging_;  // Both from the first image on.
  std::optional<DatasetWriter> writer_;
};

absl::Status CheckOptions(const PrepareOptions& options) {
  if (options.inputs.empty() || options.output.empty()) {
    return absl::InvalidArgumentError("prepare needs --input and --output");
  }
  if (options.shard_mib < 1 || options.shard_mib > 4096) {
    return absl::InvalidArgumentError(
        absl::StrFormat("--shard_mib is %d; it must be between 1 and 4096", options.shard_mib));
  }
  if (!(options.validation_fraction >= 0 && options.validation_fraction < 1)) {
    return absl::InvalidArgumentError(
        absl::StrFormat("--validation_fraction is %g; it must be at least 0 and less than 1",
                        options.validation_fraction));
  }
  return absl::OkStatus();
}

// Whether nothing stands at `target`, or an empty folder, which a rename replaces.
absl::StatusOr<bool> IsFree(FileSystem& file_system, const std::string& target) {
  const absl::StatusOr<FileInfo> info = file_system.GetInfo(target);
  if (absl::IsNotFound(info.status())) return true;
  if (!info.ok()) return info.status();
  if (info->type != FileType::kDirectory) return false;
  LANGEVIN_ASSIGN_OR_RETURN(const std::vector<std::string> names, file_system.List(target));
  return names.empty();
}

// What to say of the data set that is at `target` already, if it is the one that would be made.
absl::StatusOr<std::string> DescribeExisting(FileSystem& file_system, const PrepareOptions& options,
                                             const std::string& target, const Sources& sources) {
  const absl::StatusOr<Manifest> manifest = ReadManifest(file_system, target);
  if (absl::IsNotFound(manifest.status())) {
    return absl::AlreadyExistsError(
        absl::StrCat(target, ": exists and is no data set; remove it, or choose another --output"));
  }
  if (!manifest.ok()) return manifest.status();
  InputsDigest digest(options, sources);
  for (const SourceFile& file : sources.files) digest.Add(file_system, file);
  if (digest.Hex() != manifest->inputs_digest) {
    return absl::AlreadyExistsError(
        absl::StrCat(target,
                     ": is a data set of other inputs or options; remove it, or choose "
                     "another --output"));
  }
  LANGEVIN_ASSIGN_OR_RETURN(const std::string text, DescribeDataset(file_system, target));
  LogInfo("%s: was made from the same inputs before, and is left as it is", target);
  return text;
}

}  // namespace

absl::StatusOr<std::string> PrepareDataset(FileSystem& file_system, const PrepareOptions& options) {
  LANGEVIN_RETURN_IF_ERROR(CheckOptions(options));
  std::error_code error;
  std::string target = std::filesystem::absolute(options.output, error).lexically_normal().string();
  if (error) target = options.output;
  while (target.size() > 1 && target.back() == '/') target.pop_back();
  LANGEVIN_ASSIGN_OR_RETURN(Sources sources, FindSources(file_system, options.inputs));
  if (options.validation_fraction > 0 && sources.HasSplit(Split::kValidation)) {
    return absl::InvalidArgumentError(
        "--validation_fraction is given, but the inputs have a validation split of their own; "
        "leave it out");
  }
  if (!options.dry_run) {
    LANGEVIN_ASSIGN_OR_RETURN(const bool is_free, IsFree(file_system, target));
    if (!is_free) return DescribeExisting(file_system, options, target, sources);
  }
  return PrepareJob(file_system, options, target, std::move(sources)).Run();
}

}  // namespace langevin::data
