#include "core/base/chart.h"

#include <cmath>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace langevin {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

int CountOf(const std::string& text, const std::string& part) {
  int count = 0;
  for (size_t i = text.find(part); i != std::string::npos; i = text.find(part, i + 1)) ++count;
  return count;
}

TEST(ChartTicksTest, AreRoundAndEncloseTheData) {
  EXPECT_THAT(LinearTicks(0, 64000, 5).labels, ElementsAre("0", "20k", "40k", "60k", "80k"));
  EXPECT_THAT(LinearTicks(0, 1.2e6, 5).labels, ElementsAre("0", "0.5M", "1.0M", "1.5M"));
  EXPECT_THAT(LinearTicks(0, 0.93, 5).labels, ElementsAre("0", "0.2", "0.4", "0.6", "0.8", "1.0"));
  EXPECT_THAT(LinearTicks(0, 1e-4, 5).labels,
              ElementsAre("0", "0.2e-4", "0.4e-4", "0.6e-4", "0.8e-4", "1.0e-4"));
  EXPECT_THAT(LinearTicks(99.98, 100, 2).labels, ElementsAre("99.98", "99.99", "100.00"));
  EXPECT_THAT(LinearTicks(-3, 7, 5).labels, ElementsAre("-4", "-2", "0", "2", "4", "6", "8"));
  EXPECT_THAT(LogTicks(0.03, 0.9).labels, ElementsAre("0.02", "0.05", "0.1", "0.2", "0.5", "1"));
  EXPECT_THAT(LogTicks(0.1, 1000).labels, ElementsAre("0.1", "1", "10", "100", "1000"));
}

TEST(ChartTicksTest, EncloseAnyRange) {
  for (double low = 1e-12; low < 1e12; low *= 3.7) {
    for (const double factor : {1.01, 2.0, 9.0, 1e3, 1e40}) {
      for (const AxisTicks& ticks :
           {LinearTicks(low, low * factor, 5), LogTicks(low, low * factor)}) {
        ASSERT_GE(ticks.positions.size(), 2);
        ASSERT_LE(ticks.positions.size(), 15);
        EXPECT_LE(ticks.positions.front(), low * (1 + 1e-6));
        EXPECT_GE(ticks.positions.back(), low * factor * (1 - 1e-6));
        EXPECT_EQ(ticks.positions.size(), ticks.labels.size());
      }
    }
  }
}

// The plotting area goes from (58, 232) to (456, 50), and the axes here from 0 to 10 and 0 to 1.
TEST(LineChartTest, PointsAreWhereTheirValuesSay) {
  const std::string svg =
      LineChart({.title = "t", .x_label = "x"}, {{"", {{0, 0}, {5, 0.5}, {10, 1}}}});
  EXPECT_THAT(svg, HasSubstr("d=\"M58.0 232.0L257.0 141.0L456.0 50.0\""));
}

TEST(LineChartTest, BeginsAtZeroOnRequest) {
  const std::vector<ChartSeries> series = {{"", {{0, 90}, {10, 100}}}};
  EXPECT_THAT(LineChart({.title = "t"}, series), HasSubstr("d=\"M58.0 232.0L456.0 50.0\""));
  const std::string svg = LineChart({.title = "t", .y_from_zero = true}, series);
  EXPECT_THAT(svg, HasSubstr("d=\"M58.0 68.2L456.0 50.0\""));
}

TEST(LineChartTest, LogarithmicAxis) {
  const std::string svg =
      LineChart({.title = "t", .log_y = true}, {{"", {{0, 0.0001}, {5, 0.01}, {10, 1}}}});
  EXPECT_THAT(svg, HasSubstr("d=\"M58.0 232.0L257.0 141.0L456.0 50.0\""));
}

TEST(LineChartTest, WhatCannotBeDrawnIsAGap) {
  const double nan = std::nan(""), infinity = std::numeric_limits<double>::infinity();
  const std::string svg = LineChart(
      {.title = "t"},
      {{"", {{0, 0}, {2, 1}, {4, nan}, {5, infinity}, {6, 1}, {8, 1}, {9, 1e300}, {10, 1}}}});
  EXPECT_EQ(CountOf(svg, "stroke-width=\"1.75\""), 2);
  EXPECT_EQ(CountOf(svg, "<circle"), 1);  // A point alone.
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_THAT(svg, Not(HasSubstr("inf")));
}

TEST(LineChartTest, ChartsOfNothingSayIt) {
  EXPECT_THAT(LineChart({.title = "t"}, {{"", {}}}), HasSubstr("nothing yet"));
  EXPECT_THAT(LineChart({.title = "t", .log_y = true}, {{"", {{1, -1}}}}),
              HasSubstr("nothing yet"));
  for (const double value : {0.0, 3.0, -3.0, 1e-9, 1e199}) {  // Ranges of no width.
    for (const bool log_y : {false, true}) {
      const std::string svg =
          LineChart({.title = "t", .log_y = log_y}, {{"", {{7, value}, {8, value}}}});
      EXPECT_THAT(svg, Not(HasSubstr("nan"))) << value;
      EXPECT_THAT(svg, Not(HasSubstr("inf"))) << value;
    }
  }
}

// A million points must not become a page of many megabytes, and a spike must not vanish in it.
TEST(LineChartTest, ManyPointsBecomeMeansWithTheirRange) {
  ChartSeries series;
  for (int i = 0; i < 1000000; ++i) series.points.emplace_back(i, i == 500000 ? 100 : 1);
  const std::string svg = LineChart({.title = "t"}, {series});
  EXPECT_LT(svg.size(), 40000);
  EXPECT_THAT(svg, HasSubstr("opacity=\"0.2\""));
  EXPECT_THAT(svg, HasSubstr(">100</text>"));
}

TEST(LineChartTest, TextsAreEscapedAndSeriesNamed) {
  const std::string svg =
      LineChart({.title = "<b>", .x_label = "a&b"}, {{"x<y", {{0, 1}}}, {"second", {{0, 2}}}});
  EXPECT_THAT(svg, HasSubstr("&lt;b&gt;"));
  EXPECT_THAT(svg, HasSubstr("a&amp;b"));
  EXPECT_THAT(svg, HasSubstr("x&lt;y"));
  EXPECT_THAT(svg, HasSubstr("second"));
  EXPECT_THAT(svg, Not(HasSubstr("<b>")));
}

TEST(SuitsLogAxisTest, WantsAPositiveRangeOfTen) {
  EXPECT_TRUE(SuitsLogAxis({"", {{0, 0.1}, {1, std::nan("")}, {2, 1}}}));
  EXPECT_FALSE(SuitsLogAxis({"", {{0, 0.2}, {1, 1}}}));
  EXPECT_FALSE(SuitsLogAxis({"", {{0, 0}, {1, 1}}}));
  EXPECT_FALSE(SuitsLogAxis({"", {}}));
}

}  // namespace
}  // namespace langevin
