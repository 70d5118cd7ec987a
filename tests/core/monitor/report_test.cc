// What the page says; monitor_files_test.py parses it as HTML.
#include "core/monitor/report.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "core/base/html.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace langevin::monitor {
namespace {

using testing::HasSubstr;
using testing::Not;

ReportContent Content() {
  ReportContent content;
  content.facts = {.title = "garments",
                   .total_images = 64000,
                   .table = {{"Model", "UNet, 4.5 M parameters"}, {"Data", "fashion"}},
                   .config_text = "seed: 1\n"};
  content.images_seen = 7680;
  content.unix_time = 1700000000;
  return content;
}

TEST(ReportTest, ShowsWhatIsKnown) {
  ReportContent content = Content();
  content.points = {{.images_seen = 3840, .loss = 0.5, .images_per_s = 300, .elapsed_s = 100},
                    {.images_seen = 7680, .loss = 0.0625, .images_per_s = 312, .elapsed_s = 50}};
  content.samples = {{3840, "PNG BYTES", "samples/a.png"}, {7680, "", "samples/b.png"}};
  content.events = {{7680, 1700000000, "checkpoint written"}};
  const std::string page = RenderReport(content);
  for (const char* part :
       {"<h1>garments</h1>", "as of 2023-11-14 22:13:20 UTC", "<b>12%</b><span>of 64,000 images",
        "<b>0.0625</b>", "UNet, 4.5 M parameters", "after 3,840 images", "samples/b.png",
        "7,680</td><td>2023-11-14 22:13:20</td><td>checkpoint written", "<pre>seed: 1\n</pre>",
        "Loss", "Gradient norm", "Learning rate", "Images per second"}) {
    EXPECT_THAT(page, HasSubstr(part));
  }
  EXPECT_THAT(page, HasSubstr("data:image/png;base64," + Base64("PNG BYTES")));
  // Two processes: the first stopped after 100 s, the second is at 50 s.
  EXPECT_THAT(page, HasSubstr("<b>2 min 30 s</b><span>training time"));
  EXPECT_LT(page.find("after 3,840"), page.find("after 7,680"));
}

TEST(ReportTest, TextsFromOutsideStayTexts) {
  ReportContent content = Content();
  const std::string hostile = "</pre><script>alert('x')</script>";
  content.facts.title = hostile;
  content.facts.table = {{hostile, hostile}};
  content.facts.config_text = hostile;
  content.events = {{0, 0, hostile}};
  content.samples = {{0, "", hostile}};
  EXPECT_THAT(RenderReport(content), Not(HasSubstr("<script")));
}

TEST(ReportTest, ARunThatHasJustBegunOrDivergedHasAReport) {
  ReportContent content = Content();
  content.images_seen = 0;
  EXPECT_THAT(RenderReport(content), HasSubstr("nothing yet"));
  content.points = {{.images_seen = 64,
                     .loss = std::nan(""),
                     .gradient_norm = HUGE_VAL,
                     .elapsed_s = std::nan("")}};
  EXPECT_THAT(RenderReport(content), HasSubstr("<b>nan</b><span>loss"));
  content.facts.total_images = 0;
  EXPECT_THAT(RenderReport(content), HasSubstr("</html>"));
}

TEST(ReportTest, OfManyEventsItShowsTheNewest) {
  ReportContent content = Content();
  for (int64_t i = 0; i < 250; ++i)
    content.events.push_back({i, 0, absl::StrCat("event ", i, ".")});
  const std::string page = RenderReport(content);
  EXPECT_THAT(page, HasSubstr("50 earlier ones"));
  EXPECT_THAT(page, Not(HasSubstr("event 49.")));
  EXPECT_THAT(page, HasSubstr("event 50."));
  EXPECT_THAT(page, HasSubstr("event 249."));
}

// One file that needs nothing else.
TEST(ReportTest, LoadsNothingFromElsewhere) {
  ReportContent content = Content();
  content.samples = {{1, "x", "samples/a.png"}};
  const std::string page = RenderReport(content);
  for (const char* part : {"src=\"http", "href=", "url(", "@import", "<link", "<script"}) {
    EXPECT_THAT(page, Not(HasSubstr(part)));
  }
}

}  // namespace
}  // namespace langevin::monitor
