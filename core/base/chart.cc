#include "core/base/chart.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/html.h"

namespace langevin {
namespace {

constexpr double kWidth = 480, kHeight = 280;
constexpr double kLeft = 58, kRight = 456, kTop = 50, kBottom = 232;  // The plotting area.
constexpr int kBins = 400;  // About one a pixel of the plotting area.
constexpr int kSeriesColors = 4;

// Beyond these, sums of values or positions of ticks could overflow.
constexpr double kLargest = 1e200;
constexpr double kSmallestOnLogAxis = 1e-200;

bool CanBeDrawn(double y, bool log_y) {
  return std::abs(y) < kLargest && (!log_y || y > kSmallestOnLogAxis);  // NaN is not below either.
}

struct Range {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();

  bool is_empty() const { return low > high; }
  void Include(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
};

// One place on a line: the mean of what falls into a bin, and its extremes. NaN mean: a gap.
struct Place {
  double x = 0;
  double mean = 0;
  double low = 0;
  double high = 0;
};

// At most about kBins places for the points of a series, all points if they are few.
std::vector<Place> Condense(const ChartSeries& series, bool log_y) {
  const auto& points = series.points;
  const size_t per_bin = (points.size() + kBins - 1) / kBins;
  std::vector<Place> places;
  for (size_t begin = 0; begin < points.size(); begin += per_bin) {
    const size_t end = std::min(points.size(), begin + per_bin);
    Range range;
    double sum_x = 0, sum_y = 0;
    int count = 0;
    for (size_t i = begin; i < end; ++i) {
      if (!CanBeDrawn(points[i].second, log_y)) continue;
      range.Include(points[i].second);
      sum_x += points[i].first;
      sum_y += points[i].second;
      ++count;
    }
    if (count == 0) {
      places.push_back({points[begin].first, std::numeric_limits<double>::quiet_NaN()});
    } else {
      places.push_back({sum_x / count, sum_y / count, range.low, range.high});
    }
  }
  return places;
}

// Widens the range of the data to what an axis can show. Linear axes begin at zero unless that
// would press the data into the upper half.
Range ForLinearAxis(Range data) {
  if (data.is_empty()) return {0, 1};
  if (data.low > 0 && data.low < 0.5 * data.high) data.low = 0;
  if (data.high - data.low > 1e-9 * std::max(std::abs(data.low), std::abs(data.high))) return data;
  if (data.low == 0) return {0, 1};
  return data.low > 0 ? Range{0, 1.2 * data.high} : Range{1.2 * data.low, 0};
}

Range ForLogAxis(Range data) {
  if (data.is_empty()) return {1, 10};
  if (data.high < data.low * 1.001) return {data.low / 2, data.high * 2};
  return data;
}

// Maps values to the plotting area.
struct Axes {
  Range x;
  Range y;
  bool log_y;

  double X(double value) const {
    return kLeft + (value - x.low) / (x.high - x.low) * (kRight - kLeft);
  }
  double Y(double value) const {
    const double share = log_y ? std::log(value / y.low) / std::log(y.high / y.low)
                               : (value - y.low) / (y.high - y.low);
    return kBottom - share * (kBottom - kTop);
  }
};

std::string Text(double x, double y, const char* anchor, const char* css_color, int size,
                 const std::string& text) {
  return absl::StrFormat(
      "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" fill=\"var(%s)\" "
      "font-size=\"%d\">%s</text>\n",
      x, y, anchor, css_color, size, HtmlEscape(text));
}

std::string Frame(const ChartOptions& options, const Axes& axes, const AxisTicks& x_ticks,
                  const AxisTicks& y_ticks) {
  std::string svg = Text(16, 26, "start", "--text", 15, options.title);
  for (size_t i = 0; i < y_ticks.positions.size(); ++i) {
    const double y = axes.Y(y_ticks.positions[i]);
    absl::StrAppendFormat(&svg, "<path d=\"M%.1f %.1fH%.1f\" stroke=\"var(--line)\"/>\n", kLeft, y,
                          kRight);
    svg += Text(kLeft - 8, y + 4, "end", "--muted", 11, y_ticks.labels[i]);
  }
  for (size_t i = 0; i < x_ticks.positions.size(); ++i) {
    const double x = axes.X(x_ticks.positions[i]);
    if (x < kLeft - 1 || x > kRight + 1) continue;
    absl::StrAppendFormat(&svg, "<path d=\"M%.1f %.1fv5\" stroke=\"var(--line)\"/>\n", x, kBottom);
    svg += Text(x, kBottom + 18, "middle", "--muted", 11, x_ticks.labels[i]);
  }
  svg += Text((kLeft + kRight) / 2, kHeight - 12, "middle", "--muted", 11, options.x_label);
  return svg;
}

// The lines of one run of places without a gap, with the band of what they stand for.
std::string Stretch(const Axes& axes, const std::vector<Place>& places, const std::string& color) {
  std::string line, upper, lower;
  bool has_band = false;
  for (size_t i = 0; i < places.size(); ++i) {
    const Place& place = places[i];
    const double x = axes.X(place.x);
    absl::StrAppendFormat(&line, "%s%.1f %.1f", i == 0 ? "M" : "L", x, axes.Y(place.mean));
    absl::StrAppendFormat(&upper, "%s%.1f %.1f", i == 0 ? "M" : "L", x, axes.Y(place.high));
    lower = absl::StrFormat("L%.1f %.1f", x, axes.Y(place.low)) + lower;
    has_band = has_band || place.low < place.high;
  }
  std::string svg;
  if (places.size() == 1) {
    absl::StrAppendFormat(&svg, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.5\" fill=\"%s\"/>\n",
                          axes.X(places[0].x), axes.Y(places[0].mean), color);
    return svg;
  }
  if (has_band) {
    absl::StrAppendFormat(&svg, "<path d=\"%s%sZ\" fill=\"%s\" opacity=\"0.2\"/>\n", upper, lower,
                          color);
  }
  absl::StrAppendFormat(&svg,
                        "<path d=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"1.75\" "
                        "stroke-linejoin=\"round\"/>\n",
                        line, color);
  return svg;
}

std::string Lines(const Axes& axes, const std::vector<Place>& places, const std::string& color) {
  std::string svg;
  std::vector<Place> stretch;
  for (const Place& place : places) {
    if (!std::isnan(place.mean)) {
      stretch.push_back(place);
    } else if (!stretch.empty()) {
      svg += Stretch(axes, stretch, color);
      stretch.clear();
    }
  }
  if (!stretch.empty()) svg += Stretch(axes, stretch, color);
  return svg;
}

std::string ColorOf(size_t series) {
  return absl::StrFormat("var(--series-%d)", series % kSeriesColors + 1);
}

std::string Legend(const std::vector<ChartSeries>& series) {
  std::string svg;
  double right = kRight;
  for (size_t i = series.size(); i-- > 0;) {
    svg += Text(right, 26, "end", "--muted", 12, series[i].name);
    right -= 7.0 * static_cast<double>(series[i].name.size()) + 6;
    absl::StrAppendFormat(&svg, "<path d=\"M%.1f 22h-14\" stroke=\"%s\" stroke-width=\"2.5\"/>\n",
                          right, ColorOf(i));
    right -= 28;
  }
  return svg;
}

}  // namespace

std::string LineChart(const ChartOptions& options, const std::vector<ChartSeries>& series) {
  Range x_data, y_data;
  if (options.x_begin < options.x_end) {
    x_data.Include(options.x_begin);
    x_data.Include(options.x_end);
  }
  std::vector<std::vector<Place>> lines;
  for (const ChartSeries& one : series) {
    lines.push_back(Condense(one, options.log_y));
    for (const Place& place : lines.back()) {
      x_data.Include(place.x);
      if (std::isnan(place.mean)) continue;
      y_data.Include(place.low);
      y_data.Include(place.high);
    }
  }
  const bool is_empty = y_data.is_empty();
  if (options.y_from_zero && !options.log_y && !is_empty) y_data.Include(0);
  Axes axes{ForLinearAxis(x_data), {}, options.log_y};
  const Range y = options.log_y ? ForLogAxis(y_data) : ForLinearAxis(y_data);
  const AxisTicks x_ticks = LinearTicks(axes.x.low, axes.x.high, 5);
  const AxisTicks y_ticks = options.log_y ? LogTicks(y.low, y.high) : LinearTicks(y.low, y.high, 5);
  axes.y = {y_ticks.positions.front(), y_ticks.positions.back()};

  std::string svg = absl::StrFormat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
      "aria-label=\"%s\" font-family=\"inherit\">\n",
      kWidth, kHeight, HtmlEscape(options.title));
  svg += Frame(options, axes, x_ticks, y_ticks);
  for (size_t i = 0; i < lines.size(); ++i) svg += Lines(axes, lines[i], ColorOf(i));
  if (is_empty) {
    svg += Text((kLeft + kRight) / 2, (kTop + kBottom) / 2, "middle", "--muted", 13, "nothing yet");
  }
  if (series.size() > 1) svg += Legend(series);
  return svg + "</svg>\n";
}

bool SuitsLogAxis(const ChartSeries& series) {
  Range range;
  for (const auto& [x, y] : series.points) {
    if (CanBeDrawn(y, /*log_y=*/false)) range.Include(y);
  }
  return !range.is_empty() && range.low > 0 && range.high >= 10 * range.low;
}

}  // namespace langevin
