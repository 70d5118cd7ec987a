#include "core/monitor/metrics_file.h"

#include <cmath>
#include <limits>

#include "nlohmann/json.hpp"
#include "tests/core/monitor/folder_fixture.h"

namespace langevin::monitor {
namespace {

using MetricsFileTest = FolderFixture;

MetricsFile Open(FileSystem& files, const std::string& path, int64_t images_seen) {
  auto file = MetricsFile::Open(files, path, images_seen);
  EXPECT_TRUE(file.ok()) << file.status();
  return *std::move(file);
}

TEST_F(MetricsFileTest, ALineIsInTheFileAsSoonAsItIsLogged) {
  MetricsFile file = Open(files_, Path("m"), 0);
  const LogPoint point{.images_seen = 640,
                       .loss = 0.041203148713,
                       .gradient_norm = 0.5,
                       .learning_rate = 1e-5,
                       .images_per_s = 312.5,
                       .loader_wait_share = 0.25,
                       .rank_spread = 1.5,
                       .skipped_steps = 3,
                       .loss_spikes = 4,
                       .elapsed_s = 2.5};
  ASSERT_TRUE(file.Append(point, 1700000000.25).ok());
  EXPECT_EQ(Contents("m"),
            "{\"images_seen\":640,\"loss\":0.0412031487,\"gradient_norm\":0.5,"
            "\"learning_rate\":1e-05,\"images_per_s\":312.5,\"loader_wait_share\":0.25,"
            "\"rank_spread\":1.5,\"skipped_steps\":3,\"loss_spikes\":4,\"elapsed_s\":2.5,\"time\":"
            "1700000000.250}\n");
}

TEST_F(MetricsFileTest, NumbersThatJsonDoesNotKnowAreNull) {
  MetricsFile file = Open(files_, Path("m"), 0);
  const double infinity = std::numeric_limits<double>::infinity();
  ASSERT_TRUE(
      file.Append({.images_seen = 64, .loss = std::nan(""), .gradient_norm = infinity}, 0).ok());
  ASSERT_TRUE(file.Append({.images_seen = 128, .loss = 1}, 0).ok());
  const nlohmann::json first =
      nlohmann::json::parse(Contents("m").substr(0, Contents("m").find('\n')));
  EXPECT_TRUE(first["loss"].is_null());
  EXPECT_TRUE(first["gradient_norm"].is_null());
  const auto points = ReadMetrics(files_, Path("m"));
  ASSERT_TRUE(points.ok());
  ASSERT_EQ(points->size(), 2);
  EXPECT_TRUE(std::isnan((*points)[0].loss));
  EXPECT_EQ((*points)[1].loss, 1);
  EXPECT_EQ((*points)[1].images_seen, 128);
}

TEST_F(MetricsFileTest, AResumedRunGoesOnAtItsCheckpoint) {
  {
    MetricsFile file = Open(files_, Path("m"), 0);
    for (const int64_t images_seen : {64, 128, 192}) {
      ASSERT_TRUE(file.Append({.images_seen = images_seen, .loss = 1}, 0).ok());
    }
  }
  MetricsFile file = Open(files_, Path("m"), 128);
  ASSERT_TRUE(file.Append({.images_seen = 192, .loss = 2}, 0).ok());
  const auto points = ReadMetrics(files_, Path("m"));
  ASSERT_TRUE(points.ok());
  ASSERT_EQ(points->size(), 3);
  EXPECT_EQ((*points)[1].images_seen, 128);
  EXPECT_EQ((*points)[2].loss, 2);
}

TEST_F(MetricsFileTest, WhatTheDiskHadNoSpaceForLeavesNoTornLine) {
  MetricsFile file = Open(files_, Path("m"), 0);
  ASSERT_TRUE(file.Append({.images_seen = 64}, 0).ok());
  const std::string before = Contents("m");
  FillDisk();
  EXPECT_TRUE(absl::IsResourceExhausted(file.Append({.images_seen = 128}, 0)));
  EXPECT_TRUE(absl::IsResourceExhausted(file.Append({.images_seen = 192}, 0)));
  MakeRoom();
  ASSERT_TRUE(file.Append({.images_seen = 256}, 0).ok());
  EXPECT_TRUE(Contents("m").starts_with(before + "{\"images_seen\":256,")) << Contents("m");
  EXPECT_EQ(ReadMetrics(files_, Path("m"))->size(), 2);
}

}  // namespace
}  // namespace langevin::monitor
