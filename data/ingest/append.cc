#include "data/ingest/append.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "core/base/status_macros.h"
#include "data/ingest/prepare_job.h"

namespace langevin::data {
namespace {

StoredFormat FormatOfManifest(const Manifest& manifest) {
  return {.dtype = manifest.dtype,
          .bits = static_cast<int32_t>(8 * SizeOf(manifest.dtype)),
          .physical = manifest.physical};
}

}  // namespace

absl::StatusOr<ParentDataset> OpenParent(FileSystem& file_system, const std::string& folder,
                                         const std::string& config) {
  ParentDataset parent = {.folder = folder};
  LANGEVIN_ASSIGN_OR_RETURN(parent.manifest, ReadManifest(file_system, folder));
  const auto old_config = file_system.ReadFile(JoinPath(folder, kConfigName));
  if (!old_config.ok() || *old_config != config) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: was prepared with other options; append with its own, --config %s",
                        folder, JoinPath(folder, kConfigName)));
  }
  LANGEVIN_ASSIGN_OR_RETURN(const std::string sources,
                            file_system.ReadFile(JoinPath(folder, kSourcesName)));
  for (const absl::string_view line : absl::StrSplit(sources, '\n', absl::SkipEmpty())) {
    parent.contents.emplace(line);
  }
  return parent;
}

int64_t DropKnownSources(const ParentDataset& parent, AnalysedSources& analysed) {
  std::vector<bool> known(analysed.items.size());
  int64_t count = 0;
  for (size_t item = 0; item < known.size(); ++item) {
    known[item] = parent.contents.contains(analysed.items[item].contents);
    if (!known[item]) continue;
    analysed.items[item].reason.clear();
    ++count;
  }
  size_t kept = 0;
  for (size_t i = 0; i < analysed.images.size(); ++i) {
    if (known[static_cast<size_t>(analysed.images[i].item)]) continue;
    if (kept != i) {
      analysed.images[kept] = std::move(analysed.images[i]);
      analysed.places[kept] = analysed.places[i];
    }
    ++kept;
  }
  analysed.images.resize(kept);
  analysed.places.resize(kept);
  return count;
}

absl::Status MergeClasses(const ParentDataset& parent, Sources& sources,
                          AnalysedSources& analysed) {
  const bool has_labels = std::any_of(analysed.images.begin(), analysed.images.end(),
                                      [](const ImageRecord& image) { return image.label >= 0; });
  if (has_labels != parent.manifest.has_labels) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "%s: %s labels, but the new images %s", parent.folder,
        parent.manifest.has_labels ? "has" : "has no", has_labels ? "have some" : "have none"));
  }
  if (parent.manifest.class_names.empty() || sources.class_names.empty()) return absl::OkStatus();
  std::vector<std::string> names = parent.manifest.class_names;
  std::vector<int64_t> number;  // From the new sources' to the merged.
  for (const std::string& name : sources.class_names) {
    const auto place = std::find(names.begin(), names.end(), name);
    number.push_back(place - names.begin());
    if (place == names.end()) names.push_back(name);
  }
  for (ImageRecord& image : analysed.images) {
    if (image.label >= 0 && image.label < static_cast<int64_t>(number.size())) {
      image.label = number[static_cast<size_t>(image.label)];
    }
  }
  sources.class_names = std::move(names);
  return absl::OkStatus();
}

absl::Status AppendTo(const ParentDataset& parent, Plan& plan) {
  const Manifest& old = parent.manifest;
  Manifest& manifest = plan.summary.datasets.front().manifest;
  const StoredFormat format = FormatOfManifest(old);
  const std::array formats = {plan.formats.front(), format};
  const auto common =
      plan.formats.front().physical == format.physical && plan.formats.front().dtype == format.dtype
          ? format
          : CommonFormat(formats);
  if (manifest.shape != old.shape || !common.has_value() || common->dtype != format.dtype ||
      common->physical != format.physical) {
    return absl::InvalidArgumentError(absl::StrFormat(
        "the new images are %s and do not fit behind those of %s, which are %s",
        Describe(manifest.shape, manifest.dtype), parent.folder, Describe(old.shape, old.dtype)));
  }
  plan.formats.front() = format;
  plan.specs.front().dtype = format.dtype;
  plan.specs.front().intensity_map = old.intensity_map;
  plan.specs.front().physical = old.physical;
  if (plan.specs.front().has_groups != old.has_groups) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: %s groups of images (patients), unlike the new images", parent.folder,
                        old.has_groups ? "has" : "has no"));
  }
  if (plan.specs.front().condition_size != old.condition_size) {
    return absl::InvalidArgumentError(
        absl::StrFormat("%s: has conditions of %d numbers, the new images of %d", parent.folder,
                        old.condition_size, plan.specs.front().condition_size));
  }
  manifest.has_groups = old.has_groups;
  manifest.dtype = old.dtype;
  manifest.physical = old.physical;
  manifest.intensity_map = old.intensity_map;
  manifest.num_classes = std::max(manifest.num_classes, old.num_classes);
  manifest.version = old.version + 1;
  manifest.parent = old.fingerprint;

  std::vector<SplitEntry> splits;
  for (const Split split : {Split::kTrain, Split::kValidation}) {
    SplitEntry entry = {.split = split};
    for (const Manifest* const part : {&old, const_cast<const Manifest*>(&manifest)}) {
      const SplitEntry* const found = part->FindSplit(split);
      if (found == nullptr) continue;
      entry.count += found->count;
      entry.shards.insert(entry.shards.end(), found->shards.begin(), found->shards.end());
    }
    if (entry.count == 0) continue;
    const int64_t count = static_cast<int64_t>(entry.shards.size());
    const SplitEntry* const old_split = old.FindSplit(split);
    int64_t number = old_split == nullptr ? 0 : static_cast<int64_t>(old_split->shards.size());
    for (ShardPlan& shard : plan.shards) {
      if (shard.split == split) shard.file = ShardFileName(split, number++, count);
    }
    for (int64_t i = 0; i < count; ++i) {
      entry.shards[static_cast<size_t>(i)].file = ShardFileName(split, i, count);
    }
    splits.push_back(std::move(entry));
  }
  manifest.splits = std::move(splits);
  return absl::OkStatus();
}

absl::Status LinkOldShards(FileSystem& file_system, const ParentDataset& parent, const Plan& plan,
                           const std::string& folder) {
  const Manifest& manifest = plan.summary.datasets.front().manifest;
  for (const SplitEntry& split : parent.manifest.splits) {
    const SplitEntry& merged = *manifest.FindSplit(split.split);
    for (size_t i = 0; i < split.shards.size(); ++i) {
      const std::string to = JoinPath(folder, merged.shards[i].file);
      if (file_system.Exists(to)) {
        LANGEVIN_RETURN_IF_ERROR(file_system.RemoveFile(to));  // Perhaps half a copy.
      }
      LANGEVIN_RETURN_IF_ERROR(
          file_system.LinkOrCopy(JoinPath(parent.folder, split.shards[i].file), to));
    }
  }
  return absl::OkStatus();
}

}  // namespace langevin::data
