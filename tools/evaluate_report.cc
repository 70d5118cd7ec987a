#include "tools/evaluate_report.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/chart.h"
#include "core/base/html.h"
#include "core/base/status_macros.h"

namespace langevin::tools {
namespace {

constexpr int64_t kBins = 40;

std::string Number(double value) { return absl::StrFormat("%.4g", value); }

// What a metric says, for people who do not compute it every day.
std::string Meaning(const std::string& metric) {
  static const std::map<std::string, std::string>* const kMeanings =
      new std::map<std::string, std::string>{
          {"fid",
           "how far the samples' features are from the data's, as two Gaussians; depends on "
           "the number of samples"},
          {"kid", "the same through a kernel; does not depend on the number of samples"},
          {"inception_score", "how sure a classifier is of each sample, and how various they are"},
          {"precision", "the share of samples that lie where real images are"},
          {"recall", "the share of real images that lie where samples are"},
          {"density", "how densely real images surround the samples; 1 for real images"},
          {"coverage", "the share of real images with a sample near"},
          {"nearest_neighbour_share",
           "the share of samples nearer to a training image than all but 1 % of held-out images; "
           "well above 0.01: training images are given back"}};
  const auto found = kMeanings->find(metric);
  return found == kMeanings->end() ? "" : found->second;
}

std::string Table(const EvaluationResults& results) {
  std::string html =
      "<table>\n<tr><th>metric</th><th>value</th><th>95 % interval</th><th>real images</th>"
      "<th>better</th><th>what it says</th></tr>\n";
  for (const metrics::MetricValue& value : results.table.values) {
    absl::StrAppend(&html, "<tr><td>", HtmlEscape(ShownName(results, value.name)),
                    "</td><td class=\"number\"><b>", Number(value.estimate.value),
                    "</b></td><td class=\"number\">", Number(value.estimate.low), " to ",
                    Number(value.estimate.high), "</td><td class=\"number\">",
                    value.floor.has_value() ? Number(*value.floor) : "", "</td><td>",
                    value.less_is_better ? "lower" : "higher", "</td><td>",
                    HtmlEscape(Meaning(value.name)), "</td></tr>\n");
  }
  html += "</table>\n";
  for (const std::string& note : results.notes) {
    absl::StrAppend(&html, "<p class=\"note\">", HtmlEscape(note), "</p>\n");
  }
  return html;
}

absl::StatusOr<std::string> GridFigure(const std::vector<Picture>& pictures,
                                       const std::string& caption) {
  LANGEVIN_ASSIGN_OR_RETURN(const std::string png, EncodePng(Grid(pictures)));
  return absl::StrCat("<figure>", HtmlPng(png, caption), "<figcaption>", HtmlEscape(caption),
                      "</figcaption></figure>\n");
}

// The share of `distances` in each of kBins equal parts of [0, most].
ChartSeries Shares(const std::string& name, const std::vector<double>& distances, double most) {
  std::vector<double> shares(kBins, 0);
  for (const double distance : distances) {
    const int64_t bin = static_cast<int64_t>(distance / most * kBins);
    shares[static_cast<size_t>(std::clamp<int64_t>(bin, 0, kBins - 1))] +=
        1 / static_cast<double>(distances.size());
  }
  ChartSeries series = {.name = name, .points = {}};
  for (int64_t i = 0; i < kBins; ++i) {
    series.points.emplace_back((static_cast<double>(i) + 0.5) * most / kBins,
                               shares[static_cast<size_t>(i)]);
  }
  return series;
}

std::string DistanceChart(const metrics::Memorisation& memorisation) {
  double most = 0;
  for (const auto* nearest : {&memorisation.of_samples, &memorisation.of_held_out}) {
    for (const double distance : nearest->distances) most = std::max(most, distance);
  }
  if (!(most > 0)) most = 1;
  ChartOptions options;
  options.title = "Share of images";
  options.x_label = "distance of features to the nearest training image";
  options.y_from_zero = true;
  options.x_end = most;
  return LineChart(options, {Shares("samples", memorisation.of_samples.distances, most),
                             Shares("held-out images", memorisation.of_held_out.distances, most)});
}

absl::StatusOr<std::string> ClosestSection(const EvaluationResults& results,
                                           const ReportPictures& pictures) {
  if (!results.table.memorisation.has_value()) return "";
  const metrics::Memorisation& memorisation = *results.table.memorisation;
  std::string html = absl::StrCat(
      "<h2>Nearest training images</h2>\n<div class=\"tiles\">\n", DistanceChart(memorisation),
      "</div>\n<p class=\"note\">The samples nearest to a training image, each beside it. One in a "
      "hundred held-out images is nearer than ",
      Number(memorisation.threshold), ".</p>\n<div class=\"pairs\">\n");
  for (const PicturePair& pair : pictures.closest) {
    LANGEVIN_ASSIGN_OR_RETURN(const std::string sample, EncodePng(pair.sample));
    LANGEVIN_ASSIGN_OR_RETURN(const std::string training, EncodePng(pair.training));
    absl::StrAppend(&html, "<figure><div class=\"pair\">",
                    HtmlPng(sample, absl::StrCat("Sample ", pair.sample_index)),
                    HtmlPng(training, absl::StrCat("Training image ", pair.training_index)),
                    "</div><figcaption>sample ", pair.sample_index, ", training image ",
                    pair.training_index, ", distance ", Number(pair.distance),
                    "</figcaption></figure>\n");
  }
  return html + "</div>\n";
}

}  // namespace

absl::StatusOr<std::string> RenderEvaluation(const EvaluationResults& results,
                                             const ReportPictures& pictures) {
  std::string body = "<div class=\"stats\">\n";
  for (const metrics::MetricValue& value : results.table.values) {
    absl::StrAppend(&body, "<div><b>", Number(value.estimate.value), "</b><span>",
                    HtmlEscape(ShownName(results, value.name)), "</span></div>\n");
  }
  absl::StrAppend(&body, "</div>\n<h2>Metrics</h2>\n", Table(results),
                  "<h2>Images</h2>\n<div class=\"pictures\">\n");
  LANGEVIN_ASSIGN_OR_RETURN(const std::string samples,
                            GridFigure(pictures.samples, "the first samples"));
  LANGEVIN_ASSIGN_OR_RETURN(
      const std::string reals,
      GridFigure(pictures.reals, absl::StrCat("real images of split ", results.split)));
  LANGEVIN_ASSIGN_OR_RETURN(const std::string closest, ClosestSection(results, pictures));
  absl::StrAppend(&body, samples, reals, "</div>\n", closest, "<h2>What was evaluated</h2>\n",
                  HtmlFactTable(FactsOf(results)));
  return HtmlPage(absl::StrCat("Evaluation of ", results.origin.path),
                  absl::StrCat(results.count, " samples against ", results.references,
                               " images, compared by ", results.features.description),
                  body);
}

}  // namespace langevin::tools
