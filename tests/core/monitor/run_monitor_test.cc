#include "core/monitor/run_monitor.h"

#include <spng.h>

#include <memory>
#include <string>
#include <vector>

#include "core/monitor/event_list.h"
#include "core/monitor/metrics_file.h"
#include "gmock/gmock.h"
#include "tests/core/monitor/folder_fixture.h"

namespace langevin::monitor {
namespace {

using testing::HasSubstr;
using testing::Not;

class RunMonitorTest : public FolderFixture {
 protected:
  std::unique_ptr<RunMonitor> Open(int64_t images_seen) {
    auto monitor = RunMonitor::Open(
        files_, folder_, {.title = "test run", .total_images = 1000, .config_text = "seed: 7"},
        images_seen);
    EXPECT_TRUE(monitor.ok()) << monitor.status();
    return *std::move(monitor);
  }

  // Two gray images of 2 x 2, black and white.
  void Samples(RunMonitor& monitor, int64_t images_seen) {
    const std::vector<float> values = {-1, -1, -1, -1, 1, 1, 1, 1};
    monitor.Samples(images_seen, {2, 1, 2, 2, values});
  }

  int EventFiles() {
    int count = 0;
    const std::vector<std::string> names = *files_.List(folder_);
    for (const std::string& name : names) count += name.starts_with("events.out.tfevents.");
    return count;
  }
};

TEST_F(RunMonitorTest, TheStatusLineGoesToStderr) {
  const auto monitor = Open(0);
  testing::internal::CaptureStderr();
  monitor->Log(
      {.images_seen = 250, .loss = 0.5, .learning_rate = 0.1, .images_per_s = 10, .elapsed_s = 25});
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "25% 250/1000 images  loss 0.5000  10.0 img/s  lr 0.1  elapsed 25 s  "
            "left 1 min 15 s\n");
}

TEST_F(RunMonitorTest, SamplesAreAPictureFileNamedByImagesSeen) {
  const auto monitor = Open(0);
  Samples(*monitor, 64000);
  const std::string png = Contents("samples/images-000000064000.png");
  const std::unique_ptr<spng_ctx, void (*)(spng_ctx*)> context(spng_ctx_new(0), spng_ctx_free);
  ASSERT_EQ(spng_set_png_buffer(context.get(), png.data(), png.size()), 0);
  std::vector<uint8_t> pixels(12);  // Two tiles of 2 x 2 and a gap of 2.
  ASSERT_EQ(spng_decode_image(context.get(), pixels.data(), 12, SPNG_FMT_PNG, 0), 0);
  EXPECT_EQ(pixels, (std::vector<uint8_t>{0, 0, 0, 0, 255, 255, 0, 0, 0, 0, 255, 255}));
}

TEST_F(RunMonitorTest, AResumedRunGoesOnAtItsCheckpoint) {
  {
    const auto monitor = Open(0);
    for (const int64_t images_seen : {100, 200, 300}) {
      monitor->Log({.images_seen = images_seen, .loss = 1});
      monitor->Event(images_seen, "event of the first process");
      Samples(*monitor, images_seen);
    }
  }
  const auto monitor = Open(200);
  monitor->Event(200, "resumed");
  monitor->WriteReport();
  const std::string page = Contents("report.html");
  EXPECT_THAT(page, HasSubstr("<b>20%</b>"));
  EXPECT_THAT(page, HasSubstr("after 200 images"));
  EXPECT_THAT(page, Not(HasSubstr("after 300 images")));  // Lies ahead again.
  const auto points = ReadMetrics(files_, Path("metrics.jsonl"));
  ASSERT_TRUE(points.ok());
  ASSERT_EQ(points->size(), 2);
  EXPECT_EQ(points->back().images_seen, 200);
  const auto events = ReadEvents(files_, Path("events.jsonl"));
  ASSERT_TRUE(events.ok());
  ASSERT_EQ(events->size(), 3);
  EXPECT_EQ(events->back().what, "resumed");
  EXPECT_EQ(EventFiles(), 2);
}

TEST_F(RunMonitorTest, TheReportShowsTheSixNewestPictures) {
  const auto monitor = Open(0);
  for (int64_t images_seen = 100; images_seen <= 800; images_seen += 100) {
    Samples(*monitor, images_seen);
  }
  Write("samples/notes.txt", "not a picture");
  monitor->WriteReport();
  const std::string page = Contents("report.html");
  EXPECT_THAT(page, Not(HasSubstr("after 200 images")));
  for (int64_t images_seen = 300; images_seen < 800; images_seen += 100) {
    const size_t here = page.find("after " + std::to_string(images_seen) + " images</fig");
    const size_t next = page.find("after " + std::to_string(images_seen + 100) + " images</fig");
    EXPECT_NE(here, std::string::npos);
    EXPECT_LT(here, next);
  }
}

TEST_F(RunMonitorTest, AFullDiskIsSaidOnceAndStopsNothing) {
  const auto monitor = Open(0);
  monitor->Log({.images_seen = 100, .loss = 1});
  FillDisk();
  testing::internal::CaptureStderr();
  for (const int64_t images_seen : {200, 300}) {
    monitor->Log({.images_seen = images_seen, .loss = 1});
    Samples(*monitor, images_seen);
    monitor->Event(images_seen, "something");
    monitor->WriteReport();
  }
  const std::string log = testing::internal::GetCapturedStderr();
  const size_t first = log.find("disk full");
  EXPECT_NE(first, std::string::npos) << log;
  EXPECT_EQ(log.find("warning", first), std::string::npos) << log;

  MakeRoom();
  monitor->Log({.images_seen = 400, .loss = 1});
  monitor->WriteReport();
  EXPECT_EQ(ReadMetrics(files_, Path("metrics.jsonl"))->size(), 2);
  EXPECT_TRUE(files_.Exists(Path("report.html")));
}

TEST_F(RunMonitorTest, TensorBoardIsTriedAgainIfItCouldNotBeOpened) {
  Write("metrics.jsonl", "");
  Write("events.jsonl", "");
  FillDisk();
  const auto monitor = Open(0);
  MakeRoom();
  monitor->Log({.images_seen = 100, .loss = 1});
  const std::vector<std::string> names = *files_.List(folder_);
  for (const std::string& name : names) {
    if (name.starts_with("events.out.tfevents.") && Contents(name).size() > 100) return;
  }
  ADD_FAILURE() << "no event file has the point";
}

TEST_F(RunMonitorTest, AFolderThatCannotBeWrittenIsAnError) {
  const auto monitor = RunMonitor::Open(files_, Path("missing"), {}, 0);
  EXPECT_TRUE(absl::IsNotFound(monitor.status())) << monitor.status();
  EXPECT_THAT(std::string(monitor.status().message()), HasSubstr("missing/metrics.jsonl"));
}

}  // namespace
}  // namespace langevin::monitor
