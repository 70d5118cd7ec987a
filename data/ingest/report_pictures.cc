#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/html.h"
#include "core/base/png.h"
#include "data/ingest/report_sections.h"

namespace langevin::data {
namespace {

constexpr size_t kMostRows = 200;
constexpr size_t kMostPairs = 40;
constexpr size_t kMostOfAKind = 16;

// Thumbnails as <img>, until their bytes are used up.
class Thumbnails {
 public:
  Thumbnails(const PreparationSummary& summary, size_t most_bytes)
      : summary_(summary), hides_paths_(HidesPaths(summary)), left_(most_bytes) {}

  bool hides_paths() const { return hides_paths_; }
  std::string NameOf(int64_t image) const { return ImageNameOf(summary_, image, hides_paths_); }

  // A new allowance, for a part of a section.
  void Allow(size_t most_bytes) { left_ = most_bytes; }

  // Empty where the summary has no picture of the image, or no bytes are left.
  std::string Of(int64_t image) {
    const auto picture = summary_.pictures.find(image);
    if (picture == summary_.pictures.end()) return "";
    const auto png = EncodePng(picture->second);
    if (!png.ok()) return "";
    std::string html = HtmlPng(*png, NameOf(image));
    if (html.size() > left_) {
      left_ = 0;
      return "";
    }
    left_ -= html.size();
    return html;
  }

 private:
  const PreparationSummary& summary_;
  const bool hides_paths_;
  size_t left_;
};

bool IsRejected(const PreparationSummary& summary, int64_t image) {
  return summary.images[static_cast<size_t>(image)].rejected;
}

}  // namespace

std::string Examples(const PreparationSummary& summary, size_t most_bytes) {
  std::map<int64_t, std::vector<int64_t>> by_class;
  for (const auto& [image, picture] : summary.pictures) {
    if (!IsRejected(summary, image)) {
      by_class[summary.images[static_cast<size_t>(image)].label].push_back(image);
    }
  }
  if (by_class.empty()) return "";
  std::string html = "<h2>Examples</h2>\n";
  Thumbnails thumbnails(summary, 0);
  for (const auto& [label, images] : by_class) {
    // An equal share for each class, so that the last ones are seen, too.
    thumbnails.Allow(most_bytes / by_class.size());
    if (label >= 0) {
      absl::StrAppend(&html, "<p class=\"note\">", HtmlEscape(ClassNameOf(summary, label)),
                      "</p>\n");
    }
    html += "<div class=\"strip\">";
    const size_t shown = std::min<size_t>(images.size(), label < 0 ? 60 : 12);
    for (size_t i = 0; i < shown; ++i) html += thumbnails.Of(images[i]);
    html += "</div>\n";
  }
  return html;
}

std::string LeftOut(const PreparationSummary& summary, size_t most_bytes) {
  if (summary.rejected.empty()) return "<h2>Left out</h2>\n<p>Nothing was left out.</p>\n";
  Thumbnails thumbnails(summary, most_bytes);
  const bool hides_paths = thumbnails.hides_paths();
  std::string html = absl::StrCat("<h2>Left out</h2>\n<table>\n<tr><th></th><th>",
                                  hides_paths ? "row of rejected.csv" : "file",
                                  "</th><th>reason</th><th>score</th></tr>\n");
  for (size_t i = 0; i < std::min(summary.rejected.size(), kMostRows); ++i) {
    const RejectedRow& row = summary.rejected[i];
    const std::string name = hides_paths     ? absl::StrCat(i + 1)
                             : row.image < 0 ? row.path
                                             : thumbnails.NameOf(row.image);
    absl::StrAppend(&html, "<tr><td>", row.image < 0 ? "" : thumbnails.Of(row.image), "</td><td>",
                    HtmlEscape(name), "</td><td>", HtmlEscape(row.reason),
                    "</td><td class=\"number\">",
                    row.score == 0 ? "" : absl::StrFormat("%.3g", row.score), "</td></tr>\n");
  }
  html += "</table>\n";
  if (summary.rejected.size() > kMostRows) {
    absl::StrAppend(&html, "<p class=\"note\">", WithCommas(summary.rejected.size() - kMostRows),
                    " more are in rejected.csv.</p>\n");
  }
  return html;
}

std::string Duplicates(const PreparationSummary& summary, size_t most_bytes) {
  using Kind = Finding::Kind;
  int64_t count = 0;
  size_t shown = 0;
  Thumbnails thumbnails(summary, most_bytes);
  std::string pairs;
  // Near ones first: whether they are copies is for people to see. Leaks before all.
  for (const Kind kind : {Kind::kLeak, Kind::kNearDuplicate, Kind::kExactDuplicate}) {
    size_t of_kind = 0;
    for (const Finding& finding : summary.findings) {
      if (finding.kind != kind || finding.other < 0) continue;
      count += kind != Kind::kLeak;
      if (kind == Kind::kLeak && !IsOpen(summary, finding)) continue;
      // One black square beside another says nothing.
      if (summary.images[static_cast<size_t>(finding.image)].measures.constant) continue;
      if (shown >= kMostPairs || of_kind >= kMostPairs / 2) continue;
      const std::string first = thumbnails.Of(finding.other), second = thumbnails.Of(finding.image);
      if (first.empty() || second.empty()) continue;
      ++of_kind;
      ++shown;
      absl::StrAppend(&pairs, "<figure><div class=\"pair\">", first, second, "</div><figcaption>",
                      kind == Kind::kLeak ? "in both splits"
                      : kind == Kind::kNearDuplicate
                          ? absl::StrFormat("near, %g bits differ", finding.score)
                          : "equal",
                      "; ", IsRejected(summary, finding.image) ? "right one left out" : "both kept",
                      "</figcaption></figure>\n");
    }
  }
  if (count == 0) return "";
  return absl::StrCat("<h2>Duplicates</h2>\n<p class=\"note\">", WithCommas(count),
                      " images repeat an earlier one",
                      shown > 0 ? absl::StrCat("; ", shown, " pairs are shown") : "",
                      ".</p>\n<div class=\"pairs\">\n", pairs, "</div>\n");
}

std::string Suspects(const PreparationSummary& summary, size_t most_bytes) {
  using Kind = Finding::Kind;
  constexpr std::pair<Kind, const char*> kKinds[] = {
      {Kind::kOutlier, "Unlike the others (distance to their neighbours)"},
      {Kind::kDark, "Dark"},
      {Kind::kLight, "Light"},
      {Kind::kBlurry, "Blurry"},
      {Kind::kLowInformation, "Little information"},
      {Kind::kSaturated, "Saturated"},
      {Kind::kPadding, "Padding"},
      {Kind::kNonFinite, "NaN or infinite"},
      {Kind::kOddSize, "Size (times the median)"},
      {Kind::kOddAspect, "Aspect (times the median)"}};
  std::string html;
  Thumbnails thumbnails(summary, 0);
  for (const auto& [kind, title] : kKinds) {
    std::vector<Finding> worst;
    for (const Finding& finding : summary.findings) {
      // Black squares say nothing; they are counted above.
      if (finding.kind == kind && summary.pictures.contains(finding.image) &&
          !summary.images[static_cast<size_t>(finding.image)].measures.constant) {
        worst.push_back(finding);
      }
    }
    if (worst.empty()) continue;
    std::stable_sort(worst.begin(), worst.end(),
                     [](const Finding& a, const Finding& b) { return a.score > b.score; });
    if (worst.size() > kMostOfAKind) worst.resize(kMostOfAKind);
    thumbnails.Allow(most_bytes / std::size(kKinds));
    absl::StrAppend(&html, "<p class=\"note\">", title, "</p>\n<div class=\"strip\">");
    for (const Finding& finding : worst) {
      const std::string picture = thumbnails.Of(finding.image);
      if (picture.empty()) continue;
      absl::StrAppendFormat(&html, "<figure>%s<figcaption>%.3g%s</figcaption></figure>", picture,
                            finding.score, finding.rejected ? ", left out" : "");
    }
    html += "</div>\n";
  }
  return html.empty() ? "" : "<h2>Suspicious images, the worst first</h2>\n" + html;
}

}  // namespace langevin::data
