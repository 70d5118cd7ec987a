#include "data/ingest/report.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "core/base/html.h"
#include "core/base/png.h"
#include "core/base/status_macros.h"

namespace langevin::data {
namespace {

// The page lists this many rejected files; rejected.csv has all.
constexpr size_t kMaxRejectedShown = 500;

std::string CsvField(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  return absl::StrCat(
      "\"", absl::StrReplaceAll(absl::string_view(text.data(), text.size()), {{"\"", "\"\""}}),
      "\"");
}

std::string ClassName(const Manifest& manifest, int64_t label) {
  if (label < 0) return "all images";
  if (static_cast<size_t>(label) < manifest.class_names.size()) {
    return manifest.class_names[static_cast<size_t>(label)];
  }
  return absl::StrCat("class ", label);
}

std::string CountTable(const Manifest& manifest, const Statistics& statistics) {
  std::string html =
      "<h2>Images</h2><table><tr><th>class</th><th>train</th><th>validation</th></tr>";
  for (const auto& [label, counts] : statistics.counts()) {
    absl::StrAppendFormat(&html,
                          "<tr><td>%s</td><td class=\"number\">%d</td><td class=\"number\">%d</td>"
                          "</tr>",
                          HtmlEscape(ClassName(manifest, label)), counts[0], counts[1]);
  }
  absl::StrAppendFormat(&html,
                        "<tr><td>total</td><td class=\"number\">%d</td><td class=\"number\">%d</td>"
                        "</tr></table>",
                        statistics.count(Split::kTrain), statistics.count(Split::kValidation));
  return html;
}

// Bars for the share of numbers in each part of the range; the tallest fills the height.
std::string Histogram(const Manifest& manifest, const Statistics& statistics) {
  constexpr double kWidth = 640, kHeight = 180, kBar = kWidth / Statistics::kBins;
  const auto& bins = statistics.histogram();
  const double tallest =
      static_cast<double>(std::max<int64_t>(1, *std::max_element(bins.begin(), bins.end())));
  std::string html = absl::StrFormat(
      "<h2>Intensities</h2><figure><svg viewBox=\"0 0 %g %g\" role=\"img\" width=\"100%%\" "
      "aria-label=\"Histogram of intensities\">",
      kWidth, kHeight + 18);
  for (size_t i = 0; i < bins.size(); ++i) {
    const double height = kHeight * static_cast<double>(bins[i]) / tallest;
    absl::StrAppendFormat(&html,
                          "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
                          "fill=\"var(--series-1)\"><title>%d numbers</title></rect>",
                          static_cast<double>(i) * kBar, kHeight - height, kBar - 1, height,
                          bins[i]);
  }
  const IntensityMap& map = manifest.intensity_map;
  absl::StrAppendFormat(&html,
                        "<text x=\"0\" y=\"%g\" font-size=\"12\" fill=\"var(--muted)\">%.6g</text>"
                        "<text x=\"%g\" y=\"%g\" font-size=\"12\" text-anchor=\"end\" "
                        "fill=\"var(--muted)\">%.6g</text></svg><figcaption>Stored numbers of all "
                        "images and channels, from the lowest to the highest that the source's "
                        "depth allows.</figcaption></figure>",
                        kHeight + 14, (-1 - map.offset) / map.scale, kWidth, kHeight + 14,
                        (1 - map.offset) / map.scale);
  return html;
}

absl::StatusOr<std::string> ThumbnailRows(const Manifest& manifest, const Statistics& statistics) {
  std::string html =
      "<style>.strip{display:flex;flex-wrap:wrap;gap:4px}.strip img{width:64px;height:auto}</style>"
      "<h2>Examples</h2>";
  for (const auto& [label, pictures] : statistics.thumbnails()) {
    const std::string name = ClassName(manifest, label);
    absl::StrAppend(&html, "<p class=\"note\">", HtmlEscape(name), "</p><div class=\"strip\">");
    for (const Picture& picture : pictures) {
      LANGEVIN_ASSIGN_OR_RETURN(const std::string png, EncodePng(picture));
      absl::StrAppend(&html, HtmlPng(png, name));
    }
    absl::StrAppend(&html, "</div>");
  }
  if (statistics.thumbnails().size() < statistics.counts().size()) {
    absl::StrAppendFormat(&html, "<p class=\"note\">%d further classes are not shown.</p>",
                          statistics.counts().size() - statistics.thumbnails().size());
  }
  return html;
}

std::string RejectedTable(const std::vector<Rejection>& rejected) {
  if (rejected.empty()) return "<h2>Rejected</h2><p>No file was rejected.</p>";
  std::string html = "<h2>Rejected</h2><table><tr><th>file</th><th>reason</th></tr>";
  for (size_t i = 0; i < std::min(rejected.size(), kMaxRejectedShown); ++i) {
    absl::StrAppend(&html, "<tr><td>", HtmlEscape(rejected[i].path), "</td><td>",
                    HtmlEscape(rejected[i].reason), "</td></tr>");
  }
  absl::StrAppend(&html, "</table>");
  if (rejected.size() > kMaxRejectedShown) {
    absl::StrAppendFormat(&html, "<p class=\"note\">%d more are in rejected.csv.</p>",
                          rejected.size() - kMaxRejectedShown);
  }
  return html;
}

}  // namespace

std::string RejectedCsv(const std::vector<Rejection>& rejected) {
  std::string csv = "file,reason\n";
  for (const Rejection& row : rejected) {
    absl::StrAppend(&csv, CsvField(row.path), ",", CsvField(row.reason), "\n");
  }
  return csv;
}

absl::StatusOr<std::string> ReportHtml(const std::string& title, const Manifest& manifest,
                                       const Statistics& statistics,
                                       const std::vector<Rejection>& rejected) {
  std::vector<std::pair<std::string, std::string>> facts = {
      {"Images (height x width x channels)", Describe(manifest.shape, manifest.dtype)},
      {"Train", absl::StrCat(statistics.count(Split::kTrain))},
      {"Validation", absl::StrCat(statistics.count(Split::kValidation))},
      {"Classes", manifest.has_labels ? absl::StrCat(manifest.num_classes) : "none"},
      {"Intensities", absl::StrFormat("model = stored * %.9g + %.9g", manifest.intensity_map.scale,
                                      manifest.intensity_map.offset)},
      {"Rejected files", absl::StrCat(rejected.size())},
      {"Fingerprint", manifest.fingerprint}};
  if (statistics.alpha_left_out() > 0) {
    facts.emplace_back("Alpha channel left out of", absl::StrCat(statistics.alpha_left_out()));
  }
  LANGEVIN_ASSIGN_OR_RETURN(const std::string thumbnails, ThumbnailRows(manifest, statistics));
  return HtmlPage(
      absl::StrCat("Data set ", title), "What langevin prepare found",
      absl::StrCat(HtmlFactTable(facts), CountTable(manifest, statistics),
                   Histogram(manifest, statistics), thumbnails, RejectedTable(rejected)));
}

}  // namespace langevin::data
