#include "data/ingest/plan.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "data/ingest/quality/judge.h"
#include "data/ingest/splits.h"

namespace langevin::data {
namespace {

constexpr std::array kSplits = {Split::kTrain, Split::kValidation};

// The images of a data set that are alike.
struct Kind {
  ImageShape shape;
  StoredFormat format;
  int64_t count = 0;
  int64_t first_image = 0;
};

class Planner {
 public:
  Planner(const Sources& sources, const configs::PrepareConfig& config,
          std::vector<ImageRecord> images, const std::vector<ItemResult>& items, bool is_appended,
          int threads)
      : sources_(sources),
        config_(config),
        items_(items),
        is_appended_(is_appended),
        threads_(threads) {
    plan_.summary.sources = sources;
    plan_.summary.images = std::move(images);
  }

  absl::StatusOr<Plan> Run() {
    LANGEVIN_RETURN_IF_ERROR(RejectFiles());
    plan_.summary.notes = sources_.notes;
    for (std::string& note : AssignSplits(sources_, config_, plan_.summary.images)) {
      plan_.summary.notes.push_back(std::move(note));
    }
    RejectImages();
    LANGEVIN_RETURN_IF_ERROR(FindDatasets());
    if (!is_appended_) LANGEVIN_RETURN_IF_ERROR(CheckSplits());
    for (int32_t dataset = 0; dataset < static_cast<int32_t>(plan_.specs.size()); ++dataset) {
      CutShards(dataset);
    }
    return std::move(plan_);
  }

 private:
  std::vector<ImageRecord>& images() { return plan_.summary.images; }
  const std::string& PathOf(int64_t image) {
    const int64_t item = images()[static_cast<size_t>(image)].item;
    return sources_.files[static_cast<size_t>(item)].shown();
  }

  absl::Status RejectFiles() {
    for (const Rejection& row : sources_.rejected) {
      plan_.summary.rejected.push_back({.path = row.path, .reason = row.reason});
    }
    for (size_t item = 0; item < items_.size(); ++item) {
      if (items_[item].reason.empty()) continue;
      const std::string& path = sources_.files[item].shown();
      // An IDX file holds the whole of a split: without it there is no data set.
      if (sources_.is_idx) {
        return absl::DataLossError(
            absl::StrFormat("%s: %s; replace the file by a good copy", path, items_[item].reason));
      }
      plan_.summary.rejected.push_back({.path = path, .reason = items_[item].reason});
    }
    if (images().empty()) {
      return absl::DataLossError(absl::StrFormat(
          "none of the %d files can be read; the first is %s: %s", plan_.summary.rejected.size(),
          plan_.summary.rejected.front().path, plan_.summary.rejected.front().reason));
    }
    return absl::OkStatus();
  }

  void RejectImages() {
    std::vector<JudgedImage> judged;
    judged.reserve(images().size());
    for (const ImageRecord& image : images()) {
      judged.push_back({.measures = image.measures,
                        .shape = image.source_shape,
                        .split = image.split,
                        .modality = image.medical != nullptr ? image.medical->modality : "",
                        .label = image.label});
    }
    plan_.summary.findings = Judge(judged, config_.quality, threads_);
    for (const Finding& finding : plan_.summary.findings) {
      ImageRecord& image = images()[static_cast<size_t>(finding.image)];
      if (!finding.rejected || image.rejected) continue;
      image.rejected = true;
      plan_.summary.rejected.push_back({.path = PathOf(finding.image),
                                        .image = finding.image,
                                        .reason = ReasonOf(finding),
                                        .score = finding.score});
    }
  }

  // One for each bucket that has images; their records are numbered anew.
  absl::Status FindDatasets() {
    int32_t buckets = 0;
    for (const ImageRecord& image : images()) buckets = std::max(buckets, image.dataset + 1);
    std::vector<int32_t> number(static_cast<size_t>(buckets), -1);
    int64_t num_classes = static_cast<int64_t>(sources_.class_names.size());
    bool has_labels = sources_.has_labels;
    bool has_groups = false;  // That sources name, such as patients.
    for (const ImageRecord& image : images()) {
      num_classes = std::max(num_classes, image.label + 1);
      has_labels = has_labels || image.label >= 0;
      has_groups = has_groups || (image.medical != nullptr && !image.medical->group.empty()) ||
                   !sources_.files[static_cast<size_t>(image.item)].group.empty();
    }
    for (int32_t bucket = 0; bucket < buckets; ++bucket) {
      LANGEVIN_ASSIGN_OR_RETURN(const Kind kind, KindOf(bucket, has_labels));
      if (kind.count == 0) continue;
      number[static_cast<size_t>(bucket)] = static_cast<int32_t>(plan_.specs.size());
      plan_.specs.push_back(
          {.shape = kind.shape,
           .dtype = kind.format.dtype,
           .physical = kind.format.physical,
           .has_labels = has_labels,
           .has_groups = has_groups,
           .condition_size = sources_.condition_size,
           .compressed = config_.shards.layout == configs::ShardLayout::kCompressed});
      plan_.formats.push_back(kind.format);
      Manifest manifest;
      manifest.shape = kind.shape;
      manifest.dtype = kind.format.dtype;
      manifest.physical = kind.format.physical;
      manifest.has_labels = has_labels;
      manifest.has_groups = has_groups;
      manifest.condition_size = sources_.condition_size;
      manifest.num_classes = has_labels ? num_classes : 0;
      manifest.class_names = sources_.class_names;
      manifest.rejected = static_cast<int64_t>(plan_.summary.rejected.size());
      plan_.summary.datasets.push_back(
          {.subfolder = config_.geometry.buckets.empty()
                            ? ""
                            : absl::StrCat(kind.shape.height, "x", kind.shape.width),
           .manifest = std::move(manifest)});
    }
    if (plan_.specs.empty()) {
      return absl::DataLossError(absl::StrFormat(
          "all %d images were rejected; the first is %s: %s; change the bounds in quality",
          images().size(), plan_.summary.rejected.front().path,
          plan_.summary.rejected.front().reason));
    }
    for (ImageRecord& image : images()) {
      image.dataset = number[static_cast<size_t>(image.dataset)];
    }
    return absl::OkStatus();
  }

  // What the images of a bucket are; a count of 0 if it has none.
  absl::StatusOr<Kind> KindOf(int32_t bucket, bool has_labels) {
    std::vector<Kind> kinds;
    for (size_t i = 0; i < images().size(); ++i) {
      const ImageRecord& image = images()[i];
      if (image.dataset != bucket || image.rejected) continue;
      if (has_labels && image.label < 0) {
        return absl::DataLossError(absl::StrFormat(
            "%s: has no label, but other images have; give all of them one, or none",
            PathOf(static_cast<int64_t>(i))));
      }
      const StoredFormat format = FormatOf(image);
      auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const Kind& known) {
        return known.shape == image.shape && known.format == format;
      });
      if (kind == kinds.end()) {
        kind = kinds.insert(
            kind, {.shape = image.shape, .format = format, .first_image = static_cast<int64_t>(i)});
      }
      ++kind->count;
    }
    if (kinds.empty()) return Kind{};
    Kind result = kinds.front();
    std::vector<StoredFormat> formats;
    for (const Kind& kind : kinds) {
      formats.push_back(kind.format);
      if (kind.shape != result.shape) return Differ(std::move(kinds));
      if (&kind != kinds.data()) result.count += kind.count;
    }
    const std::optional<StoredFormat> common = CommonFormat(formats);
    if (!common.has_value()) return Differ(std::move(kinds));
    const configs::GeometryConfig& geometry = config_.geometry;
    if (geometry.height > 0 &&
        (result.shape.height != geometry.height || result.shape.width != geometry.width)) {
      return absl::DataLossError(absl::StrFormat(
          "%s is %s, but geometry.height and width say %d x %d; set geometry.fit to CROP, PAD or "
          "STRETCH",
          PathOf(result.first_image), Describe(result.shape, result.format.dtype), geometry.height,
          geometry.width));
    }
    result.format = *common;
    return result;
  }

  absl::Status Differ(std::vector<Kind> kinds) {
    std::stable_sort(kinds.begin(), kinds.end(),
                     [](const Kind& a, const Kind& b) { return a.count > b.count; });
    const auto text = [this](const Kind& kind) {
      return absl::StrFormat("%s is %s (%d such)", PathOf(kind.first_image),
                             Describe(kind.shape, kind.format.dtype), kind.count);
    };
    return absl::DataLossError(absl::StrCat(
        "the images differ in height, width, channels or depth: ", text(kinds[0]), ", ",
        text(kinds[1]),
        kinds.size() > 2 ? absl::StrCat(", and ", kinds.size() - 2, " more kinds") : "",
        "; bring all to one size with geometry.height, width and fit, and to one number of "
        "channels with read.color"));
  }

  absl::Status CheckSplits() {
    if (config_.split.validation_fraction <= 0) return absl::OkStatus();
    for (const Split split : kSplits) {
      if (std::any_of(images().begin(), images().end(), [split](const ImageRecord& image) {
            return !image.rejected && image.split == split;
          })) {
        continue;
      }
      return absl::InvalidArgumentError(absl::StrFormat(
          "split.validation_fraction %g leaves no image for split %s; choose another one",
          config_.split.validation_fraction, NameOfSplit(split)));
    }
    return absl::OkStatus();
  }

  void CutShards(int32_t dataset) {
    const int64_t shard_bytes = config_.shards.shard_mib << 20;
    const int64_t per_shard =
        std::max<int64_t>(1, shard_bytes / plan_.specs[static_cast<size_t>(dataset)].image_bytes());
    Manifest& manifest = plan_.summary.datasets[static_cast<size_t>(dataset)].manifest;
    for (const Split split : kSplits) {
      const size_t first = plan_.shards.size();
      SplitEntry entry{.split = split};
      for (size_t i = 0; i < images().size(); ++i) {
        const ImageRecord& image = images()[i];
        if (image.rejected || image.dataset != dataset || image.split != split) continue;
        if (plan_.shards.size() == first ||
            static_cast<int64_t>(plan_.shards.back().images.size()) == per_shard) {
          plan_.shards.push_back({.dataset = dataset, .split = split});
        }
        plan_.shards.back().images.push_back(static_cast<int64_t>(i));
        ++entry.count;
      }
      if (entry.count == 0) continue;
      const int64_t count = static_cast<int64_t>(plan_.shards.size() - first);
      for (int64_t i = 0; i < count; ++i) {
        ShardPlan& shard = plan_.shards[first + static_cast<size_t>(i)];
        shard.file = ShardFileName(split, i, count);
        entry.shards.push_back(
            {.file = shard.file, .count = static_cast<int64_t>(shard.images.size())});
      }
      manifest.splits.push_back(std::move(entry));
    }
  }

  const Sources& sources_;
  const configs::PrepareConfig& config_;
  const std::vector<ItemResult>& items_;
  const bool is_appended_;
  const int threads_;
  Plan plan_;
};

}  // namespace

StoredFormat FormatOf(const ImageRecord& image) {
  return {.dtype = image.dtype,
          .bits = image.dtype == DType::kFloat32 ? 32 : image.bits,
          .physical = image.physical};
}

absl::StatusOr<Plan> MakePlan(const Sources& sources, const configs::PrepareConfig& config,
                              std::vector<ImageRecord> images, const std::vector<ItemResult>& items,
                              bool is_appended, int threads) {
  return Planner(sources, config, std::move(images), items, is_appended, threads).Run();
}

}  // namespace langevin::data
