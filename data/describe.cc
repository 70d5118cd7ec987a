#include "data/describe.h"

#include <algorithm>
#include <map>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status_macros.h"
#include "data/dataset.h"
#include "data/manifest.h"
#include "data/shard_reader.h"

namespace langevin::data {
namespace {

// More classes than this are counted, not listed.
constexpr int64_t kMaxClassesListed = 100;
constexpr int kMaxReasonsListed = 20;
constexpr uint64_t kMaxRejectedBytes = uint64_t{1} << 30;

void AppendFact(std::string& text, std::string_view name, std::string_view value) {
  absl::StrAppendFormat(&text, "%-14s %s\n", name, value);
}

// The second field of each row of rejected.csv but the header's, without what tells one row from
// another ("ends early (at byte 5)"), and how often it is there. Quoted as RFC 4180 has it.
std::map<std::string, int64_t> ReasonsOf(std::string_view csv) {
  std::map<std::string, int64_t> reasons;
  std::string field, reason;
  int64_t row = 0;
  int column = 0;
  bool is_quoted = false;
  for (const char c : csv) {
    if (c == '"') {
      is_quoted = !is_quoted;  // A doubled one ends and begins again.
    } else if (is_quoted || (c != ',' && c != '\n')) {
      field += c;
    } else {
      if (column == 1) reason = field.substr(0, std::min(field.find(" ("), field.find(": ")));
      field.clear();
      column = c == ',' ? column + 1 : 0;
      if (c == '\n' && row++ > 0) ++reasons[reason];
    }
  }
  return reasons;
}

std::string DescribeMap(const IntensityMap& map) {
  return absl::StrFormat("model = stored * %.9g + %.9g", map.scale, map.offset);
}

}  // namespace

absl::StatusOr<std::string> DescribeDataset(FileSystem& file_system, const std::string& folder) {
  LANGEVIN_ASSIGN_OR_RETURN(const Manifest manifest, ReadManifest(file_system, folder));
  std::string text;
  AppendFact(text, "data set", folder);
  AppendFact(text, "fingerprint", manifest.fingerprint);
  AppendFact(text, "images",
             Describe(manifest.shape, manifest.dtype) + " (height x width x channels)");
  AppendFact(text, "intensities", DescribeMap(manifest.intensity_map));
  AppendFact(text, "classes", manifest.has_labels ? absl::StrCat(manifest.num_classes) : "none");
  if (manifest.has_masks) AppendFact(text, "masks", "1 valid, 0 missing");
  if (manifest.condition_size > 0) {
    AppendFact(text, "conditions", absl::StrFormat("%d numbers an image", manifest.condition_size));
  }
  if (manifest.has_groups) AppendFact(text, "groups", "salted hashes");
  AppendFact(text, "rejected",
             absl::StrFormat("%d files or images%s", manifest.rejected,
                             manifest.rejected > 0 ? ", listed in rejected.csv" : ""));
  const std::string rejected_path = JoinPath(folder, "rejected.csv");
  if (manifest.rejected > 0 && file_system.Exists(rejected_path)) {
    LANGEVIN_ASSIGN_OR_RETURN(const std::string csv,
                              file_system.ReadFile(rejected_path, kMaxRejectedBytes));
    const std::map<std::string, int64_t> reasons = ReasonsOf(csv);
    int shown = 0;
    for (const auto& [reason, count] : reasons) {
      if (++shown > kMaxReasonsListed) break;
      absl::StrAppendFormat(&text, "  %d  %s\n", count, reason);
    }
  }

  std::vector<std::unique_ptr<Dataset>> splits;
  for (const SplitEntry& entry : manifest.splits) {
    LANGEVIN_ASSIGN_OR_RETURN(splits.emplace_back(),
                              Dataset::Open(file_system, folder, entry.split));
    AppendFact(text, NameOfSplit(entry.split),
               absl::StrFormat("%d images in %d shard%s", entry.count, entry.shards.size(),
                               entry.shards.size() == 1 ? "" : "s"));
    for (const ShardEntry& shard : entry.shards) {
      absl::StrAppendFormat(&text, "  %s  %d images\n", shard.file, shard.count);
    }
  }
  if (!manifest.has_labels || manifest.num_classes > kMaxClassesListed) return text;

  std::vector<std::vector<int64_t>> counts;
  for (const std::unique_ptr<Dataset>& split : splits) {
    std::vector<int64_t>& count = counts.emplace_back(static_cast<size_t>(manifest.num_classes), 0);
    for (int64_t i = 0; i < split->size(); ++i) ++count[static_cast<size_t>(split->label(i))];
  }
  absl::StrAppend(&text, "images by class\n");
  for (size_t label = 0; label < static_cast<size_t>(manifest.num_classes); ++label) {
    absl::StrAppendFormat(&text, "  %d", label);
    if (label < manifest.class_names.size()) {
      absl::StrAppendFormat(&text, " \"%s\"", manifest.class_names[label]);
    }
    for (size_t split = 0; split < counts.size(); ++split) {
      absl::StrAppendFormat(&text, "  %s %d", NameOfSplit(manifest.splits[split].split),
                            counts[split][label]);
    }
    absl::StrAppend(&text, "\n");
  }
  return text;
}

absl::StatusOr<std::string> DescribeShard(FileSystem& file_system, const std::string& path) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::unique_ptr<ShardReader> shard,
                            ShardReader::Open(file_system, path));
  const ShardSpec& spec = shard->spec();
  std::vector<std::byte> pixels(static_cast<size_t>(spec.image_bytes()));
  std::vector<uint8_t> mask(static_cast<size_t>(spec.mask_bytes()));
  std::vector<float> condition(static_cast<size_t>(spec.condition_size));
  for (int64_t i = 0; i < shard->count(); ++i) {
    LANGEVIN_RETURN_IF_ERROR(shard->ReadImage(i, /*verify=*/true, pixels));
    LANGEVIN_RETURN_IF_ERROR(shard->ReadExtras(i, /*verify=*/true, mask, condition));
  }
  std::string text;
  AppendFact(text, "shard", path);
  AppendFact(text, "images",
             absl::StrFormat("%d of %s (height x width x channels)", shard->count(),
                             Describe(spec.shape, spec.dtype)));
  AppendFact(text, "intensities", DescribeMap(spec.intensity_map));
  AppendFact(text, "layout",
             absl::StrCat(spec.compressed ? "compressed" : "plain",
                          shard->has_masks() ? ", with masks" : "",
                          spec.condition_size > 0 ? ", with conditions" : "",
                          spec.has_groups ? ", with groups" : ""));
  AppendFact(text, "digest", shard->digest());
  AppendFact(text, "checksums", "all images match");
  if (spec.has_labels) {
    std::map<int64_t, int64_t> counts;
    for (const int64_t label : shard->labels()) ++counts[label];
    absl::StrAppend(&text, "images by label\n");
    for (const auto& [label, count] : counts) {
      absl::StrAppendFormat(&text, "  %d  %d\n", label, count);
    }
  }
  return text;
}

}  // namespace langevin::data
