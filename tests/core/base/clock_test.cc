#include "core/base/clock.h"

#include <limits>

#include "gtest/gtest.h"

namespace langevin {
namespace {

TEST(ClockTest, DurationsReadAsPeopleSayThem) {
  EXPECT_EQ(FormatDuration(0.85), "850 ms");
  EXPECT_EQ(FormatDuration(2.44), "2.4 s");
  EXPECT_EQ(FormatDuration(12.3), "12 s");
  EXPECT_EQ(FormatDuration(59.7), "1 min 00 s");
  EXPECT_EQ(FormatDuration(245), "4 min 05 s");
  EXPECT_EQ(FormatDuration(3 * 3600 + 20 * 60 + 59), "3 h 20 min");
  EXPECT_EQ(FormatDuration(52 * 3600), "2 d 4 h");
}

TEST(ClockTest, AnUnknownDurationIsNotANumber) {
  EXPECT_EQ(FormatDuration(-1), "?");
  EXPECT_EQ(FormatDuration(std::numeric_limits<double>::infinity()), "?");
}

TEST(ClockTest, ProcessStartLiesShortlyBeforeNow) {
  EXPECT_GE(SecondsSinceProcessStart(), 0);
  EXPECT_LT(SecondsSinceProcessStart(), 600);
}

}  // namespace
}  // namespace langevin
