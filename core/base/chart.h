// Line charts as SVG, for reports: title, axes with round ticks, several series.
//
// Colours are the CSS variables of HtmlPage, so that a chart follows the page's light or dark
// setting. Pure functions; any thread.
#ifndef LANGEVIN_CORE_BASE_CHART_H_
#define LANGEVIN_CORE_BASE_CHART_H_

#include <string>
#include <utility>
#include <vector>

namespace langevin {

struct ChartSeries {
  std::string name;  // In the legend, which is drawn where there is more than one series.
  // x and y, x ascending. A y that is not finite (or not positive on a logarithmic axis) is a gap.
  // More points than pixels are drawn as their mean over the range that they span.
  std::vector<std::pair<double, double>> points;
};

struct ChartOptions {
  std::string title;
  std::string x_label;
  bool log_y = false;
  bool y_from_zero = false;  // On a linear axis that the data would let begin higher.
  // At least the range of x that the axis spans; the data may widen it.
  double x_begin = 0;
  double x_end = 0;
};

// An <svg> element of 480 x 280 units. Texts are escaped.
std::string LineChart(const ChartOptions& options, const std::vector<ChartSeries>& series);

// Whether values are better read on a logarithmic axis: all finite ones positive, and the largest
// at least ten times the smallest.
bool SuitsLogAxis(const ChartSeries& series);

// One axis: the positions of its ticks, ascending, and what to write at them.
struct AxisTicks {
  std::vector<double> positions;
  std::vector<std::string> labels;
};

// About `count` ticks at multiples of 1, 2 or 5 times a power of ten; the first is at or below
// `low` and the last at or above `high`. Requires low < high, both finite.
AxisTicks LinearTicks(double low, double high, int count);

// Ticks at powers of ten, with their multiples by 2 and 5 where few powers are in the range, which
// they enclose. Requires 0 < low < high, both finite.
AxisTicks LogTicks(double low, double high);

}  // namespace langevin

#endif  // LANGEVIN_CORE_BASE_CHART_H_
