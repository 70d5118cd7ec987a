#include "core/monitor/histogram_chart.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"
#include "core/base/html.h"
#include "core/monitor/chart.h"

namespace langevin::monitor {
namespace {

constexpr double kWidth = 480, kHeight = 220;
constexpr double kLeft = 24, kRight = 456, kTop = 48, kBottom = 172;  // The plotting area.

std::string Text(double x, double y, const char* anchor, const char* color, int size,
                 const std::string& text) {
  return absl::StrFormat(
      "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" fill=\"var(%s)\" "
      "font-size=\"%d\">%s</text>\n",
      x, y, anchor, color, size, HtmlEscape(text));
}

}  // namespace

std::string HistogramChart(const HistogramOptions& options, const std::vector<int64_t>& bins) {
  const auto x_of = [&options](double value) {
    return kLeft + (value - options.low) / (options.high - options.low) * (kRight - kLeft);
  };
  std::string svg = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
      "aria-label=\"%s\" font-family=\"inherit\">\n",
      kWidth, kHeight, HtmlEscape(options.title));
  svg += Text(16, 26, "start", "--text", 15, options.title);

  int64_t tallest = 1;
  for (const int64_t bin : bins) tallest = std::max(tallest, bin);
  const double bar = (kRight - kLeft) / static_cast<double>(std::max<size_t>(bins.size(), 1));
  for (size_t i = 0; i < bins.size(); ++i) {
    if (bins[i] <= 0) continue;
    const double share = std::sqrt(static_cast<double>(bins[i]) / static_cast<double>(tallest));
    const double height = std::max(1.0, share * (kBottom - kTop));
    absl::StrAppendFormat(&svg,
                          "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" "
                          "fill=\"var(--series-%d)\"><title>%d</title></rect>\n",
                          kLeft + static_cast<double>(i) * bar, kBottom - height,
                          std::max(0.5, bar - 1), height, options.color, bins[i]);
  }
  absl::StrAppendFormat(&svg, "<path d=\"M%.1f %.1fH%.1f\" stroke=\"var(--line)\"/>\n", kLeft,
                        kBottom, kRight);
  const AxisTicks ticks = LinearTicks(options.low, options.high, 5);
  for (size_t i = 0; i < ticks.positions.size(); ++i) {
    const double x = x_of(ticks.positions[i]);
    if (x < kLeft - 1 || x > kRight + 1) continue;
    absl::StrAppendFormat(&svg, "<path d=\"M%.1f %.1fv5\" stroke=\"var(--line)\"/>\n", x, kBottom);
    svg += Text(x, kBottom + 18, "middle", "--muted", 11, ticks.labels[i]);
  }
  svg += Text((kLeft + kRight) / 2, kHeight - 10, "middle", "--muted", 11, options.x_label);
  for (const HistogramBound& bound : options.bounds) {
    if (!(bound.at >= options.low && bound.at <= options.high)) continue;
    const double x = x_of(bound.at);
    absl::StrAppendFormat(&svg,
                          "<path d=\"M%.1f %.1fV%.1f\" stroke=\"var(--series-2)\" "
                          "stroke-width=\"1.5\" stroke-dasharray=\"4 3\"/>\n",
                          x, kTop - 4, kBottom);
    const bool fits_right = x < kWidth - 120;
    svg += Text(fits_right ? x + 6 : x - 6, kTop + 4, fits_right ? "start" : "end", "--series-2",
                11, bound.name);
  }
  return svg + "</svg>\n";
}

}  // namespace langevin::monitor
