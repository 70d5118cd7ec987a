#include "data/ingest/report.h"

#include <algorithm>
#include <array>
#include <map>
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

std::string CountTable(const PreparationSummary& summary) {
  std::map<int64_t, std::array<int64_t, 2>> counts;
  for (const ImageRecord& image : summary.images) {
    if (!image.rejected) ++counts[image.label][image.split == Split::kTrain ? 0 : 1];
  }
  std::string html =
      "<h2>Images</h2><table><tr><th>class</th><th>train</th><th>validation</th></tr>";
  std::array<int64_t, 2> total = {};
  const auto row = [&html](const std::string& name, const std::array<int64_t, 2>& numbers) {
    absl::StrAppendFormat(&html,
                          "<tr><td>%s</td><td class=\"number\">%d</td><td class=\"number\">%d</td>"
                          "</tr>",
                          HtmlEscape(name), numbers[0], numbers[1]);
  };
  for (const auto& [label, numbers] : counts) {
    row(ClassName(summary.datasets.front().manifest, label), numbers);
    for (size_t split = 0; split < 2; ++split) total[split] += numbers[split];
  }
  row("total", total);
  return html + "</table>";
}

// Bars for the share of numbers in each part of the range; the tallest fills the height.
std::string Histogram(const ValueHistogram& histogram, std::string_view caption) {
  const auto& bins = histogram.bins;
  if (bins.empty()) return "";
  constexpr double kWidth = 640, kHeight = 180;
  const double kBar = kWidth / static_cast<double>(bins.size());
  const double tallest =
      static_cast<double>(std::max<int64_t>(1, *std::max_element(bins.begin(), bins.end())));
  std::string html = absl::StrFormat(
      "<figure><svg viewBox=\"0 0 %g %g\" role=\"img\" width=\"100%%\" "
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
  absl::StrAppendFormat(
      &html,
      "<text x=\"0\" y=\"%g\" font-size=\"12\" fill=\"var(--muted)\">%.6g</text>"
      "<text x=\"%g\" y=\"%g\" font-size=\"12\" text-anchor=\"end\" "
      "fill=\"var(--muted)\">%.6g</text></svg><figcaption>%s</figcaption></figure>",
      kHeight + 14, histogram.low, kWidth, kHeight + 14, histogram.high, HtmlEscape(caption));
  return html;
}

absl::StatusOr<std::string> ThumbnailRows(const PreparationSummary& summary) {
  std::map<int64_t, std::string> rows;
  const Manifest& manifest = summary.datasets.front().manifest;
  for (const auto& [index, picture] : summary.pictures) {
    const ImageRecord& image = summary.images[static_cast<size_t>(index)];
    if (image.rejected) continue;
    LANGEVIN_ASSIGN_OR_RETURN(const std::string png, EncodePng(picture));
    absl::StrAppend(&rows[image.label], HtmlPng(png, ClassName(manifest, image.label)));
  }
  std::string html =
      "<style>.strip{display:flex;flex-wrap:wrap;gap:4px}.strip img{width:64px;height:auto}</style>"
      "<h2>Examples</h2>";
  for (const auto& [label, pictures] : rows) {
    absl::StrAppend(&html, "<p class=\"note\">", HtmlEscape(ClassName(manifest, label)),
                    "</p><div class=\"strip\">", pictures, "</div>");
  }
  return html;
}

std::string RejectedTable(const std::vector<RejectedRow>& rejected) {
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

std::string RejectedCsv(const std::vector<RejectedRow>& rejected) {
  std::string csv = "file,reason,score\n";
  for (const RejectedRow& row : rejected) {
    absl::StrAppend(&csv, CsvField(row.path), ",", CsvField(row.reason), ",",
                    row.image >= 0 ? absl::StrFormat("%.6g", row.score) : "", "\n");
  }
  return csv;
}

absl::StatusOr<std::string> ReportHtml(const PreparationSummary& summary) {
  std::vector<std::pair<std::string, std::string>> facts;
  for (const PreparationSummary::PlannedDataset& dataset : summary.datasets) {
    const Manifest& manifest = dataset.manifest;
    facts.emplace_back(absl::StrCat("Images (height x width x channels)",
                                    dataset.subfolder.empty() ? "" : " in ", dataset.subfolder),
                       Describe(manifest.shape, manifest.dtype));
    facts.emplace_back("Classes",
                       manifest.has_labels ? absl::StrCat(manifest.num_classes) : "none");
    facts.emplace_back("Intensities",
                       absl::StrFormat("model = stored * %.9g + %.9g", manifest.intensity_map.scale,
                                       manifest.intensity_map.offset));
    if (!manifest.fingerprint.empty()) facts.emplace_back("Fingerprint", manifest.fingerprint);
  }
  facts.emplace_back("Rejected", absl::StrCat(summary.rejected.size()));
  const auto alpha = std::count_if(summary.images.begin(), summary.images.end(),
                                   [](const ImageRecord& image) { return image.alpha_left_out; });
  if (alpha > 0) facts.emplace_back("Alpha channel left out of", absl::StrCat(alpha));
  std::string notes;
  for (const std::string& note : summary.notes) {
    absl::StrAppend(&notes, "<p class=\"note\">", HtmlEscape(note), "</p>");
  }
  LANGEVIN_ASSIGN_OR_RETURN(const std::string thumbnails, ThumbnailRows(summary));
  const std::string sample = absl::StrFormat("Of %d images.", summary.histogram_images);
  return HtmlPage(
      absl::StrCat("Data set ", summary.title), "What langevin prepare found",
      absl::StrCat(HtmlFactTable(facts), notes, CountTable(summary), "<h2>Intensities</h2>",
                   Histogram(summary.before, "As decoded, in physical units. " + sample),
                   Histogram(summary.after, "In the model's range. " + sample), thumbnails,
                   RejectedTable(summary.rejected), "<h2>Config</h2><pre>",
                   HtmlEscape(summary.config), "</pre>"));
}

}  // namespace langevin::data
