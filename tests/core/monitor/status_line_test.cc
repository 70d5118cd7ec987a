#include "core/monitor/status_line.h"

#include <cmath>

#include "gtest/gtest.h"

namespace langevin::monitor {
namespace {

TEST(StatusLineTest, SaysHowFarAndHowLong) {
  const LogPoint point{.images_seen = 7680,
                       .loss = 0.04123,
                       .learning_rate = 1e-3,
                       .images_per_s = 312.4,
                       .elapsed_s = 40};
  EXPECT_EQ(StatusLine(point, 64000, 190),
            "12% 7680/64000 images  loss 0.0412  312 img/s  lr 0.001  elapsed 40 s  "
            "left 3 min 10 s");
}

TEST(StatusLineTest, OddNumbersStayReadable) {
  const LogPoint point{.images_seen = 64,
                       .loss = std::nan(""),
                       .learning_rate = 0,
                       .images_per_s = 0.123,
                       .elapsed_s = 0.5};
  EXPECT_EQ(StatusLine(point, 64, std::nan("")),
            "100% 64/64 images  loss nan  0.12 img/s  lr 0  elapsed 500 ms  left ?");
  EXPECT_NE(StatusLine({.loss = 1e-5}, 64, 0).find("loss 1e-05"), std::string::npos);
  EXPECT_TRUE(StatusLine({}, 64, 0).ends_with("left 0 s"));
}

TEST(ProgressEstimateTest, FollowsTheSpeedOfRecentPoints) {
  ProgressEstimate progress;
  EXPECT_TRUE(std::isnan(progress.SecondsLeft(1000)));
  progress.Add({.images_seen = 100, .images_per_s = 10, .elapsed_s = 60});
  EXPECT_DOUBLE_EQ(progress.SecondsLeft(1000), 90);  // One point: its own speed.
  // 100 images in 20 s, the time of a checkpoint included, though each step ran at 10 a second.
  progress.Add({.images_seen = 200, .images_per_s = 10, .elapsed_s = 80});
  EXPECT_DOUBLE_EQ(progress.SecondsLeft(1000), 160);
  // A slow start is forgotten.
  for (int i = 1; i <= 50; ++i) {
    progress.Add({.images_seen = 200 + 10 * i, .images_per_s = 100, .elapsed_s = 80 + 0.1 * i});
  }
  EXPECT_NEAR(progress.SecondsLeft(1000), 3, 1e-6);
  EXPECT_EQ(progress.SecondsLeft(700), 0);
}

}  // namespace
}  // namespace langevin::monitor
