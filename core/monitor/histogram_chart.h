// Histograms as SVG, for reports: bars over a linear axis, with bounds as dashed lines.
//
// Colours are the CSS variables of HtmlPage. Pure functions; any thread.
#ifndef LANGEVIN_CORE_MONITOR_HISTOGRAM_CHART_H_
#define LANGEVIN_CORE_MONITOR_HISTOGRAM_CHART_H_

#include <cstdint>
#include <string>
#include <vector>

namespace langevin::monitor {

struct HistogramBound {
  double at = 0;
  std::string name;
};

struct HistogramOptions {
  std::string title;
  std::string x_label;
  double low = 0, high = 1;  // Requires low < high, both finite.
  std::vector<HistogramBound> bounds;
  int color = 1;  // Of the page's series, 1 to 4.
};

// An <svg> element of 480 x 220 units for counts in equal parts of [low, high]. A bar's height goes
// with the square root of its count, so that rare values are seen beside common ones. Bounds
// outside the range are left out. Texts are escaped.
std::string HistogramChart(const HistogramOptions& options, const std::vector<int64_t>& bins);

}  // namespace langevin::monitor

#endif  // LANGEVIN_CORE_MONITOR_HISTOGRAM_CHART_H_
