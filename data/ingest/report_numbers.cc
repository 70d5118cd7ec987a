#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/html.h"
#include "data/ingest/report_sections.h"

namespace langevin::data {
namespace {

constexpr size_t kMostClasses = 200;
constexpr size_t kMostReasons = 30;
constexpr size_t kMostShapes = 12;

size_t IndexOf(Split split) { return split == Split::kTrain ? 0 : 1; }

std::array<int64_t, 2> KeptBySplit(const PreparationSummary& summary) {
  std::array<int64_t, 2> kept = {};
  for (const ImageRecord& image : summary.images) {
    if (!image.rejected) ++kept[IndexOf(image.split)];
  }
  return kept;
}

struct Remedy {
  const char* what;
  const char* remedy;
};

Remedy RemedyOf(Finding::Kind kind) {
  using Kind = Finding::Kind;
  switch (kind) {
    case Kind::kExactDuplicate:
      return {"equal an earlier image, bit for bit",
              "quality.reject_exact_duplicates=true keeps the first of each"};
    case Kind::kNearDuplicate:
      return {"look like an earlier image",
              "see the pairs below; quality.near_duplicate_radius=8 keeps the first of each"};
    case Kind::kDark:
      return {"are very dark", "quality.max_dark leaves them out"};
    case Kind::kLight:
      return {"are very light", "quality.max_light leaves them out"};
    case Kind::kBlurry:
      return {"are blurry", "quality.max_blur leaves them out"};
    case Kind::kLowInformation:
      return {"have hardly any gray levels", "quality.max_low_information leaves them out"};
    case Kind::kConstant:
      return {"have one value everywhere", "quality.reject_constant=true leaves them out"};
    case Kind::kNonFinite:
      return {"hold NaN or infinite numbers",
              "missing.impute fills them; quality.reject_non_finite=true leaves the images out"};
    case Kind::kSaturated:
      return {
          "are saturated in large parts",
          "look at intensity window and export of the source; quality.max_saturated leaves them "
          "out"};
    case Kind::kPadding:
      return {"are padding for the most part",
              "geometry.fit=CROP cuts instead; quality.max_padding leaves them out"};
    case Kind::kOddSize:
      return {"have a size far from the others", "geometry sets one size for all, or buckets"};
    case Kind::kOddAspect:
      return {"have an aspect ratio far from the others", "geometry.buckets keeps several aspects"};
    case Kind::kOutlier:
      return {"are unlike all others", "see them below; quality.max_outlier_score leaves them out"};
    case Kind::kLeak:
      return {"have a duplicate in the other split, so validation is too optimistic",
              "split.group_by keeps what belongs together in one split, or reject duplicates"};
  }
  return {"", ""};
}

// What a reason says in general: "crashed the decoder (signal 11)" counts as "crashed the decoder".
std::string GeneralReason(const std::string& reason) {
  return reason.substr(0, std::min(reason.find(" ("), reason.find(": ")));
}

std::string CountBar(int64_t count, int64_t most, const char* css_class) {
  return absl::StrFormat(
      "<span class=\"%s\" style=\"width:%.1fpx\"></span>", css_class,
      160.0 * static_cast<double>(count) / static_cast<double>(std::max<int64_t>(most, 1)));
}

}  // namespace

std::string WithCommas(int64_t number) {
  return number < 1000 ? absl::StrCat(number)
                       : absl::StrFormat("%s,%03d", WithCommas(number / 1000), number % 1000);
}

std::string ClassNameOf(const PreparationSummary& summary, int64_t label) {
  if (label < 0) return "no class";
  const std::vector<std::string>& names = summary.datasets.front().manifest.class_names;
  const size_t index = static_cast<size_t>(label);
  return index < names.size() && !names[index].empty() ? names[index]
                                                       : absl::StrCat("class ", label);
}

bool HidesPaths(const PreparationSummary& summary) {
  const auto is_medical_name = [](const RejectedRow& row) {
    constexpr const char* kEndings[] = {".dcm", ".dicom", ".ima", ".nii", ".nii.gz"};
    return std::any_of(std::begin(kEndings), std::end(kEndings), [&row](const char* ending) {
      return absl::EndsWithIgnoreCase(row.path, ending);
    });
  };
  return std::any_of(summary.images.begin(), summary.images.end(),
                     [](const ImageRecord& image) { return image.medical != nullptr; }) ||
         std::any_of(summary.sources.files.begin(), summary.sources.files.end(),
                     [](const SourceFile& file) {
                       return file.format == "dicom" || file.format == "nifti";
                     }) ||
         std::any_of(summary.rejected.begin(), summary.rejected.end(), is_medical_name);
}

std::string ImageNameOf(const PreparationSummary& summary, int64_t image, bool hides_paths) {
  const ImageRecord& record = summary.images[static_cast<size_t>(image)];
  const size_t item = static_cast<size_t>(record.item);
  if (hides_paths || item >= summary.sources.files.size()) return absl::StrCat("image ", image);
  const std::string name = summary.sources.files[item].name();
  return record.index > 0 ? absl::StrCat(name, " [", record.index, "]") : name;
}

bool IsOpen(const PreparationSummary& summary, const Finding& finding) {
  const auto is_kept = [&summary](int64_t image) {
    return image < 0 || !summary.images[static_cast<size_t>(image)].rejected;
  };
  return is_kept(finding.image) && is_kept(finding.other);
}

std::string KeyNumbers(const PreparationSummary& summary) {
  const std::array<int64_t, 2> kept = KeptBySplit(summary);
  const Manifest& manifest = summary.datasets.front().manifest;
  std::string html = "<div class=\"stats\">";
  const auto add = [&html](const std::string& value, std::string_view name) {
    absl::StrAppend(&html, "<div><b>", HtmlEscape(value), "</b><span>", std::string(name),
                    "</span></div>");
  };
  add(WithCommas(kept[0] + kept[1]), summary.dry_run ? "images would be kept" : "images kept");
  add(WithCommas(kept[0]), "train");
  add(WithCommas(kept[1]), "validation");
  if (manifest.has_labels) add(WithCommas(manifest.num_classes), "classes");
  add(WithCommas(static_cast<int64_t>(summary.rejected.size())), "left out");
  std::set<int64_t> suspicious;
  for (const Finding& finding : summary.findings) {
    if (IsOpen(summary, finding)) suspicious.insert(finding.image);
  }
  add(WithCommas(static_cast<int64_t>(suspicious.size())), "to look at");
  return html + "</div>\n";
}

std::string Advice(const PreparationSummary& summary, const configs::PrepareConfig& config) {
  std::map<Finding::Kind, int64_t> counts;
  for (const Finding& finding : summary.findings) {
    if (IsOpen(summary, finding)) ++counts[finding.kind];
  }
  std::string html = "<h2>What to look at</h2>\n";
  for (const std::string& note : summary.notes) {
    absl::StrAppend(&html, "<p>", HtmlEscape(note), "</p>\n");
  }
  if (counts.empty()) {
    return absl::StrCat(html, "<p>",
                        config.quality.profile == configs::QualityProfile::kNone
                            ? "Nothing was looked for: quality.profile is NO_PROFILE."
                            : "Nothing suspicious among the images that are kept.",
                        "</p>\n");
  }
  html += "<table>\n<tr><th>images</th><th>that</th><th>what to do</th></tr>\n";
  for (const auto& [kind, count] : counts) {
    const Remedy remedy = RemedyOf(kind);
    absl::StrAppend(&html, "<tr><td class=\"number\">", WithCommas(count), "</td><td>", remedy.what,
                    "</td><td class=\"note\">", remedy.remedy, "</td></tr>\n");
  }
  return html +
         "</table>\n<p class=\"note\">Images are left out only where a bound is set "
         "(--set quality...). An image can be in several rows.</p>\n";
}

std::string InAndOut(const PreparationSummary& summary) {
  std::vector<std::pair<std::string, std::string>> facts;
  int64_t unreadable = 0;
  std::map<std::string, int64_t> reasons;
  for (const RejectedRow& row : summary.rejected) {
    unreadable += row.image < 0;
    ++reasons[GeneralReason(row.reason)];
  }
  facts.emplace_back("Files found",
                     WithCommas(static_cast<int64_t>(summary.sources.files.size() +
                                                     summary.sources.rejected.size())));
  facts.emplace_back("Files not read", WithCommas(unreadable));
  facts.emplace_back("Images decoded", WithCommas(static_cast<int64_t>(summary.images.size())));

  std::map<std::string, int64_t> shapes;
  int64_t alpha = 0, masked = 0;
  std::set<std::string> units;
  for (const ImageRecord& image : summary.images) {
    ++shapes[absl::StrFormat("%d x %d x %d, %d bits", image.source_shape.height,
                             image.source_shape.width, image.source_shape.channels, image.bits)];
    alpha += image.alpha_left_out;
    masked += image.has_mask;
    if (!image.physical.unit.empty()) units.insert(image.physical.unit);
  }
  std::vector<std::pair<int64_t, std::string>> common;
  for (const auto& [shape, count] : shapes) common.emplace_back(-count, shape);
  std::sort(common.begin(), common.end());
  std::string listed;
  for (size_t i = 0; i < std::min(common.size(), kMostShapes); ++i) {
    absl::StrAppend(&listed, i == 0 ? "" : "; ", common[i].second);
    if (common.size() > 1) absl::StrAppend(&listed, " (", WithCommas(-common[i].first), ")");
  }
  if (common.size() > kMostShapes) {
    absl::StrAppend(&listed, "; and ", common.size() - kMostShapes, " more sizes");
  }
  facts.emplace_back("As they came (height x width x channels)", listed);
  if (alpha > 0) facts.emplace_back("Alpha channel left out of", WithCommas(alpha));
  if (masked > 0) facts.emplace_back("With a mask of missing pixels", WithCommas(masked));
  for (const std::string& unit : units) facts.emplace_back("Physical unit", unit);
  for (const PreparationSummary::PlannedDataset& dataset : summary.datasets) {
    const Manifest& manifest = dataset.manifest;
    const std::string in = dataset.subfolder.empty() ? "" : absl::StrCat(" in ", dataset.subfolder);
    facts.emplace_back(absl::StrCat("As they are stored", in),
                       Describe(manifest.shape, manifest.dtype));
    facts.emplace_back(absl::StrCat("Intensity map", in),
                       absl::StrFormat("model = stored * %.9g + %.9g", manifest.intensity_map.scale,
                                       manifest.intensity_map.offset));
    size_t shards = 0;
    for (const SplitEntry& split : manifest.splits) shards += split.shards.size();
    if (shards > 0) facts.emplace_back(absl::StrCat("Shards", in), absl::StrCat(shards));
    if (!manifest.fingerprint.empty()) {
      facts.emplace_back(absl::StrCat("Fingerprint", in), manifest.fingerprint);
    }
  }
  std::string html = absl::StrCat("<h2>What came in, what came out</h2>\n", HtmlFactTable(facts));
  if (reasons.empty()) return html;
  std::vector<std::pair<int64_t, std::string>> by_count;
  for (const auto& [reason, count] : reasons) by_count.emplace_back(-count, reason);
  std::sort(by_count.begin(), by_count.end());
  html += "<h2>Why some were left out</h2>\n<table>\n<tr><th>rows</th><th>reason</th></tr>\n";
  for (size_t i = 0; i < std::min(by_count.size(), kMostReasons); ++i) {
    absl::StrAppend(&html, "<tr><td class=\"number\">", WithCommas(-by_count[i].first), "</td><td>",
                    HtmlEscape(by_count[i].second), "</td></tr>\n");
  }
  return html + "</table>\n";
}

std::string ClassCounts(const PreparationSummary& summary) {
  if (!summary.datasets.front().manifest.has_labels) return "";
  std::map<int64_t, std::array<int64_t, 2>> counts;
  std::map<int64_t, int64_t> left_out;
  for (const ImageRecord& image : summary.images) {
    counts[image.label];
    if (image.rejected) {
      ++left_out[image.label];
    } else {
      ++counts[image.label][IndexOf(image.split)];
    }
  }
  int64_t most = 1;
  for (const auto& [label, numbers] : counts) most = std::max(most, numbers[0] + numbers[1]);
  std::string html =
      "<h2>Classes</h2>\n<table>\n<tr><th>class</th><th>train</th><th>validation</th>"
      "<th>left out</th><th></th></tr>\n";
  size_t shown = 0;
  for (const auto& [label, numbers] : counts) {
    if (shown++ == kMostClasses) break;
    absl::StrAppend(&html, "<tr><td>", HtmlEscape(ClassNameOf(summary, label)),
                    "</td><td class=\"number\">", WithCommas(numbers[0]),
                    "</td><td class=\"number\">", WithCommas(numbers[1]),
                    "</td><td class=\"number\">", WithCommas(left_out[label]), "</td><td>",
                    CountBar(numbers[0], most, "bar"), CountBar(numbers[1], most, "bar second"),
                    "</td></tr>\n");
  }
  html += "</table>\n";
  if (counts.size() > kMostClasses) {
    absl::StrAppend(&html, "<p class=\"note\">", WithCommas(counts.size() - kMostClasses),
                    " further classes are not shown.</p>\n");
  }
  return html;
}

std::string SplitsAndGroups(const PreparationSummary& summary) {
  std::array<std::set<uint64_t>, 2> groups;
  for (const ImageRecord& image : summary.images) {
    if (!image.rejected) groups[IndexOf(image.split)].insert(image.group);
  }
  const std::array<int64_t, 2> kept = KeptBySplit(summary);
  std::string html =
      "<h2>Splits</h2>\n<table>\n<tr><th>split</th><th>images</th><th>groups</th></tr>\n";
  for (const Split split : {Split::kTrain, Split::kValidation}) {
    absl::StrAppend(
        &html, "<tr><td>", std::string(NameOfSplit(split)), "</td><td class=\"number\">",
        WithCommas(kept[IndexOf(split)]), "</td><td class=\"number\">",
        WithCommas(static_cast<int64_t>(groups[IndexOf(split)].size())), "</td></tr>\n");
  }
  std::vector<uint64_t> both;
  std::set_intersection(groups[0].begin(), groups[0].end(), groups[1].begin(), groups[1].end(),
                        std::back_inserter(both));
  html +=
      "</table>\n<p class=\"note\">A group is what stays in one split together: a patient, a "
      "series or a file.";
  if (!both.empty()) {
    absl::StrAppend(&html, " ", WithCommas(static_cast<int64_t>(both.size())),
                    " groups are in both, as the inputs' own splits have it.");
  }
  return html + "</p>\n";
}

}  // namespace langevin::data
