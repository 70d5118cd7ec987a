#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/html.h"
#include "core/monitor/histogram_chart.h"
#include "data/ingest/quality/profile.h"
#include "data/ingest/report_sections.h"

namespace langevin::data {
namespace {

using monitor::HistogramBound;
using monitor::HistogramChart;
using monitor::HistogramOptions;

constexpr int kBins = 50;
constexpr size_t kMostNotes = 20;

// Running statistics of a column of numbers.
struct Column {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
  double sum = 0;
  int64_t count = 0;

  void Add(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
    sum += value;
    ++count;
  }
  std::string Row(const char* name) const {
    if (count == 0) return "";
    return absl::StrFormat(
        "<tr><td>%s</td><td class=\"number\">%.6g</td><td class=\"number\">%.6g</td>"
        "<td class=\"number\">%.6g</td></tr>\n",
        name, low, sum / static_cast<double>(count), high);
  }
};

// One measure over all images.
struct Measured {
  const char* title;
  const char* label;
  float Measures::*value;
  std::optional<double> QualityBounds::*bound;
};

std::string ChartOf(const Measured& measured, const PreparationSummary& summary,
                    const QualityBounds& asked, const QualityBounds& profile) {
  std::vector<int64_t> bins(kBins);
  for (const ImageRecord& image : summary.images) {
    const double value = image.measures.*measured.value;
    ++bins[static_cast<size_t>(std::clamp(value * kBins, 0.0, kBins - 1.0))];
  }
  HistogramOptions options = {.title = measured.title, .x_label = measured.label};
  if (const auto& bound = asked.*measured.bound; bound.has_value()) {
    options.bounds.push_back({*bound, "left out above"});
  } else if (const auto& warn = profile.*measured.bound; warn.has_value()) {
    options.bounds.push_back({*warn, "suspicious above"});
  }
  return HistogramChart(options, bins);
}

}  // namespace

std::string Intensities(const PreparationSummary& summary) {
  std::string html = "<h2>Intensities</h2>\n";
  if (!summary.before.bins.empty() && summary.before.low < summary.before.high) {
    std::string unit;
    for (const ImageRecord& image : summary.images) {
      if (image.physical.unit.empty()) continue;
      unit = absl::StrCat(" (", image.physical.unit, ")");
      break;
    }
    absl::StrAppend(&html, "<div class=\"tiles\">\n",
                    HistogramChart({.title = "As decoded",
                                    .x_label = "physical value" + unit,
                                    .low = summary.before.low,
                                    .high = summary.before.high},
                                   summary.before.bins),
                    HistogramChart({.title = "As the model sees them",
                                    .x_label = "after the intensity map",
                                    .low = summary.after.low,
                                    .high = summary.after.high,
                                    .color = 3},
                                   summary.after.bins),
                    "</div>\n<p class=\"note\">Of ", WithCommas(summary.histogram_images),
                    " images. Heights go with the square root of the counts.</p>\n");
  }
  Column lowest, mean, deviation, highest;
  for (const ImageRecord& image : summary.images) {
    if (image.rejected) continue;
    lowest.Add(image.measures.minimum);
    mean.Add(image.measures.mean);
    deviation.Add(image.measures.standard_deviation);
    highest.Add(image.measures.maximum);
  }
  return absl::StrCat(html,
                      "<table>\n<tr><th>of each image kept, in physical units</th>"
                      "<th>lowest</th><th>mean</th><th>highest</th></tr>\n",
                      lowest.Row("smallest value"), mean.Row("mean"),
                      deviation.Row("standard deviation"), highest.Row("largest value"),
                      "</table>\n");
}

std::string QualityCharts(const PreparationSummary& summary, const configs::PrepareConfig& config) {
  if (summary.images.empty()) return "";
  const auto& medical = summary.images.front().medical;
  const QualityBounds asked = BoundsOf(config.quality);
  const QualityBounds profile =
      BoundsOf(config.quality.profile, medical != nullptr ? medical->modality : "");
  constexpr Measured kMeasured[] = {
      {"Darkness", "1 - brightness of the 99th percentile", &Measures::dark, &QualityBounds::dark},
      {"Lightness", "brightness of the 5th percentile", &Measures::light, &QualityBounds::light},
      {"Blur", "1 / (1 + sharpness)", &Measures::blur, &QualityBounds::blur},
      {"Lack of information", "1 - entropy / 8 bits", &Measures::low_information,
       &QualityBounds::low_information},
      {"Saturation", "share of pixels at the largest value", &Measures::saturated,
       &QualityBounds::saturated},
      {"Padding", "share of pixels outside the mask", &Measures::padding, &QualityBounds::padding}};
  std::string html = "<h2>Quality of all images</h2>\n<div class=\"tiles\">\n";
  for (const Measured& measured : kMeasured) html += ChartOf(measured, summary, asked, profile);
  return html +
         "</div>\n<p class=\"note\">Heights go with the square root of the counts. Every "
         "score is between 0 and 1, 1 the worst.</p>\n";
}

std::string MedicalFactsOf(const PreparationSummary& summary) {
  std::map<std::string, int64_t> modalities, notes;
  std::set<std::string> series, patients;
  int64_t burned_in = 0, captured = 0, count = 0;
  Column in_plane, between;
  for (const ImageRecord& image : summary.images) {
    for (const std::string& note : image.notes) ++notes[note];
    if (image.medical == nullptr) continue;
    const MedicalFacts& facts = *image.medical;
    ++count;
    ++modalities[facts.modality.empty() ? "not named" : facts.modality];
    if (!facts.series.empty()) series.insert(facts.series);
    if (!facts.group.empty()) patients.insert(facts.group);
    burned_in += facts.burned_in_annotation;
    captured += facts.secondary_capture;
    for (size_t i = 0; i < facts.spacing_mm.size(); ++i) {
      (i < 2 ? in_plane : between).Add(facts.spacing_mm[i]);
    }
  }
  std::string html;
  if (count > 0) {
    std::vector<std::pair<std::string, std::string>> facts;
    std::string listed;
    for (const auto& [modality, images] : modalities) {
      absl::StrAppend(&listed, listed.empty() ? "" : ", ", modality, " (", WithCommas(images), ")");
    }
    facts.emplace_back("Modalities", listed);
    facts.emplace_back("Patients, as salted hashes",
                       WithCommas(static_cast<int64_t>(patients.size())));
    facts.emplace_back("Series", WithCommas(static_cast<int64_t>(series.size())));
    if (burned_in > 0) facts.emplace_back("With burned-in annotation", WithCommas(burned_in));
    if (captured > 0) facts.emplace_back("Secondary captures", WithCommas(captured));
    absl::StrAppend(&html, "<h2>Medical sources</h2>\n", HtmlFactTable(facts));
    if (in_plane.count + between.count > 0) {
      absl::StrAppend(&html,
                      "<table>\n<tr><th>spacing in mm</th><th>lowest</th><th>mean</th>"
                      "<th>highest</th></tr>\n",
                      in_plane.Row("between pixels"), between.Row("between slices"), "</table>\n");
    }
  }
  if (notes.empty()) return html;
  html += "<h2>Remarks of the readers</h2>\n<table>\n<tr><th>images</th><th>remark</th></tr>\n";
  std::vector<std::pair<int64_t, std::string>> by_count;
  for (const auto& [note, images] : notes) by_count.emplace_back(-images, note);
  std::sort(by_count.begin(), by_count.end());
  for (size_t i = 0; i < std::min(by_count.size(), kMostNotes); ++i) {
    absl::StrAppend(&html, "<tr><td class=\"number\">", WithCommas(-by_count[i].first), "</td><td>",
                    HtmlEscape(by_count[i].second), "</td></tr>\n");
  }
  html += "</table>\n";
  if (by_count.size() > kMostNotes) {
    absl::StrAppend(&html, "<p class=\"note\">", by_count.size() - kMostNotes,
                    " further remarks are not shown.</p>\n");
  }
  return html;
}

}  // namespace langevin::data
