#include "core/monitor/report.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "core/base/chart.h"
#include "core/base/clock.h"
#include "core/base/html.h"

namespace langevin::monitor {
namespace {

// The report of a run of weeks shows its newest events.
constexpr size_t kMostEvents = 200;

// "1,234,567".
std::string Count(int64_t value) {
  std::string digits = absl::StrCat(value);
  for (int64_t i = static_cast<int64_t>(digits.size()) - 3; i > (value < 0 ? 1 : 0); i -= 3) {
    digits.insert(static_cast<size_t>(i), 1, ',');
  }
  return digits;
}

std::string Time(double unix_time) {
  if (!std::isfinite(unix_time)) return "?";
  return absl::FormatTime("%Y-%m-%d %H:%M:%S",
                          absl::FromUnixSeconds(static_cast<int64_t>(unix_time)),
                          absl::UTCTimeZone());
}

// The time of all processes that made the points: elapsed_s begins anew with each.
double TrainingSeconds(const std::vector<LogPoint>& points) {
  double total = 0, last = 0;
  for (const LogPoint& point : points) {
    if (!std::isfinite(point.elapsed_s)) continue;
    if (point.elapsed_s < last) total += last;
    last = point.elapsed_s;
  }
  return total + last;
}

std::string Stat(const std::string& name, const std::string& value) {
  return absl::StrCat("<div><b>", HtmlEscape(value), "</b><span>", HtmlEscape(name),
                      "</span></div>\n");
}

std::string Stats(const ReportContent& content) {
  const int64_t total = content.facts.total_images;
  const int64_t percent = total > 0 ? 100 * content.images_seen / total : 100;
  std::string html = "<div class=\"stats\">\n";
  html += Stat(absl::StrCat("of ", Count(total), " images"), absl::StrCat(percent, "%"));
  if (!content.points.empty()) {
    const LogPoint& newest = content.points.back();
    html += Stat("loss", absl::StrFormat("%.4g", newest.loss));
    html += Stat("images/s", absl::StrFormat("%.4g", newest.images_per_s));
    html += Stat("training time", FormatDuration(TrainingSeconds(content.points)));
    if (newest.skipped_steps > 0) html += Stat("steps skipped", Count(newest.skipped_steps));
    if (newest.loss_spikes > 0) html += Stat("loss spikes", Count(newest.loss_spikes));
  }
  return html + "</div>\n";
}

// Curves that fall by powers of ten are read best on a logarithmic axis, changes of a speed only in
// proportion to it.
enum class Scale { kFitting, kFromZero };

std::string Chart(const ReportContent& content, const std::string& title, double LogPoint::*field,
                  Scale scale) {
  ChartSeries series;
  for (const LogPoint& point : content.points) {
    series.points.emplace_back(static_cast<double>(point.images_seen), point.*field);
  }
  ChartOptions options;
  options.log_y = scale == Scale::kFitting && SuitsLogAxis(series);
  options.y_from_zero = scale == Scale::kFromZero;
  options.title = options.log_y ? title + " (logarithmic)" : title;
  options.x_label = "images seen";
  options.x_end = static_cast<double>(std::max<int64_t>(1, content.images_seen));
  return LineChart(options, {series});
}

std::string Charts(const ReportContent& content) {
  return absl::StrCat(
      "<h2>Training</h2>\n<div class=\"tiles\">\n",
      Chart(content, "Loss", &LogPoint::loss, Scale::kFitting),
      Chart(content, "Gradient norm", &LogPoint::gradient_norm, Scale::kFitting),
      Chart(content, "Learning rate", &LogPoint::learning_rate, Scale::kFromZero),
      Chart(content, "Images per second", &LogPoint::images_per_s, Scale::kFromZero), "</div>\n");
}

std::string Samples(const std::vector<SamplePicture>& samples) {
  if (samples.empty()) return "";
  std::string html = "<h2>Samples</h2>\n<div class=\"pictures\">\n";
  for (const SamplePicture& sample : samples) {
    const std::string caption = absl::StrCat("after ", Count(sample.images_seen), " images");
    absl::StrAppend(&html, "<figure>",
                    sample.png.empty()
                        ? absl::StrCat("<p class=\"note\">", HtmlEscape(sample.path), "</p>")
                        : HtmlPng(sample.png, absl::StrCat("Samples ", caption)),
                    "<figcaption>", caption, "</figcaption></figure>\n");
  }
  return html + "</div>\n";
}

std::string Events(const std::vector<RunEvent>& events) {
  if (events.empty()) return "";
  std::string html = "<h2>Events</h2>\n";
  const size_t left_out = events.size() - std::min(events.size(), kMostEvents);
  if (left_out > 0) {
    absl::StrAppend(&html, "<p class=\"note\">", left_out,
                    " earlier ones are in events.jsonl.</p>\n");
  }
  html += "<table>\n<tr><th>images seen</th><th>time (UTC)</th><th>what</th></tr>\n";
  for (const RunEvent& event : std::span(events).subspan(left_out)) {
    absl::StrAppend(&html, "<tr><td class=\"number\">", Count(event.images_seen), "</td><td>",
                    Time(event.unix_time), "</td><td>", HtmlEscape(event.what), "</td></tr>\n");
  }
  return html + "</table>\n";
}

}  // namespace

std::string RenderReport(const ReportContent& content) {
  std::string body = Stats(content) + Charts(content) + Samples(content.samples);
  if (!content.facts.table.empty()) {
    absl::StrAppend(&body, "<h2>Run</h2>\n", HtmlFactTable(content.facts.table));
  }
  body += Events(content.events);
  absl::StrAppend(&body, "<h2>Config</h2>\n<pre>", HtmlEscape(content.facts.config_text),
                  "</pre>\n");
  return HtmlPage(
      content.facts.title,
      absl::StrCat("A training run of Langevin, as of ", Time(content.unix_time), " UTC"), body);
}

}  // namespace langevin::monitor
