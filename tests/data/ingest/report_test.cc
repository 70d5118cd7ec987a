#include "data/ingest/report.h"

#include <memory>
#include <string>

#include "configs/prepare_config_text.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/data/ingest/quality/testing.h"

namespace langevin::data {
namespace {

using testing::HasSubstr;
using testing::Not;

// Forty images of two classes in one file each; image 1 is a copy of image 0 and is left out.
PreparationSummary SmallSummary() {
  PreparationSummary summary;
  summary.title = "a <b> & c";
  summary.config = configs::ToText(configs::PrepareConfig{});
  Manifest manifest;
  manifest.shape = {28, 28, 1};
  manifest.intensity_map = {2 / 255., -1};
  manifest.has_labels = true;
  manifest.num_classes = 2;
  manifest.class_names = {"cats & dogs", "birds"};
  summary.datasets.push_back({.manifest = manifest});
  for (int64_t i = 0; i < 40; ++i) {
    SourceFile file;
    file.path = "/in/Doe^Jane_" + std::to_string(i) + ".png";
    file.name_begin = 4;
    summary.sources.files.push_back(file);
    const DecodedImage pixels = Scene(static_cast<uint64_t>(i));
    ImageRecord image;
    image.item = i;
    image.source_shape = image.shape = pixels.shape;
    image.label = i % 2;
    image.measures = Measure(pixels);
    image.group = static_cast<uint64_t>(i / 2);
    image.split = i % 4 < 3 ? Split::kTrain : Split::kValidation;
    image.rejected = i == 1;
    summary.images.push_back(image);
    Picture picture = {.width = 28, .height = 28};
    for (const std::byte value : pixels.pixels) {
      picture.pixels.push_back(std::to_integer<uint8_t>(value));
    }
    summary.pictures[i] = picture;
  }
  summary.findings = {
      {.kind = Finding::Kind::kExactDuplicate, .image = 1, .other = 0, .rejected = true},
      {.kind = Finding::Kind::kDark, .image = 5, .score = 0.75},
      {.kind = Finding::Kind::kOutlier, .image = 7, .score = 12.25}};
  summary.rejected = {{.path = "/in/x,\"y\".png", .reason = "ends early (at byte 5)"},
                      {.path = summary.sources.files[1].path,
                       .image = 1,
                       .reason = ReasonOf(summary.findings[0]),
                       .score = 0.5}};
  summary.before = {.low = 0, .high = 255, .bins = {10, 0, 3}};
  summary.after = {.low = -1, .high = 1, .bins = {10, 0, 3}};
  summary.histogram_images = 40;
  return summary;
}

std::string Html(const PreparationSummary& summary) {
  const auto html = ReportHtml(summary);
  EXPECT_TRUE(html.ok()) << html.status();
  return html.ok() ? *html : "";
}

TEST(ReportTest, SaysWhatCameInAndWhatCameOut) {
  const std::string html = Html(SmallSummary());
  EXPECT_THAT(html, HasSubstr("Data set a &lt;b&gt; &amp; c"));
  EXPECT_THAT(html, HasSubstr("<b>39</b><span>images kept"));
  EXPECT_THAT(html, HasSubstr("cats &amp; dogs"));
  EXPECT_THAT(html, HasSubstr("exact duplicate of an earlier image"));
  EXPECT_THAT(html, HasSubstr("equal; right one left out"));
  EXPECT_THAT(html, HasSubstr("quality.max_dark leaves them out"));
  EXPECT_THAT(html, HasSubstr("12.2"));
  EXPECT_THAT(html, HasSubstr("x,&quot;y&quot;.png"));
  EXPECT_THAT(html, HasSubstr("model = stored * 0.00784313725 + -1"));
  EXPECT_THAT(html, HasSubstr("max_outlier_score"));  // The config.
  EXPECT_THAT(html, Not(HasSubstr("src=\"http")));
}

TEST(ReportTest, ChartsShowTheBoundThatActs) {
  PreparationSummary summary = SmallSummary();
  EXPECT_THAT(Html(summary), HasSubstr("suspicious above"));
  EXPECT_THAT(Html(summary), Not(HasSubstr("left out above")));
  summary.config = "quality { profile: NO_PROFILE max_dark: 0.5 }";
  EXPECT_THAT(Html(summary), HasSubstr("left out above"));
  EXPECT_THAT(Html(summary), Not(HasSubstr("suspicious above")));
}

// File names of medical sources often are names of people.
TEST(ReportTest, MedicalSourcesAreShownWithoutTheirPaths) {
  PreparationSummary summary = SmallSummary();
  EXPECT_THAT(Html(summary), HasSubstr("Doe^Jane"));
  for (ImageRecord& image : summary.images) {
    MedicalFacts facts = {
        .modality = "CT", .group = "0123456789abcdef", .series = "fedcba9876543210"};
    facts.spacing_mm = {0.7, 0.7, 2.5};
    image.medical = std::make_shared<const MedicalFacts>(facts);
    image.notes = {"gap of 2 slices after slice 17"};
  }
  std::string html = Html(summary);
  EXPECT_THAT(html, Not(HasSubstr("Doe")));
  EXPECT_THAT(html, Not(HasSubstr("/in/")));
  EXPECT_THAT(html, Not(HasSubstr("0123456789abcdef")));
  EXPECT_THAT(html, HasSubstr("CT (40)"));
  EXPECT_THAT(html, HasSubstr("gap of 2 slices after slice 17"));
  EXPECT_THAT(html, HasSubstr("between slices"));

  summary = SmallSummary();  // Not one of them could be read.
  summary.rejected.push_back({.path = "/in/Doe.DCM", .reason = "is cut short"});
  EXPECT_THAT(Html(summary), Not(HasSubstr("Doe")));
}

TEST(ReportTest, StaysSmallWhateverThePictures) {
  PreparationSummary summary = SmallSummary();
  const RandomStream stream(1, 0, RandomPurpose::kTrainingNoise);
  for (int64_t i = 0; i < 4000; ++i) {
    ImageRecord image = summary.images[0];
    image.rejected = i % 2 == 0;
    image.label = i % 50;
    if (image.rejected)
      summary.rejected.push_back({.path = "p", .image = i, .reason = "dark", .score = 1});
    Picture picture = {.width = 64, .height = 64, .channels = 3};
    for (uint32_t k = 0; k < 64 * 64 * 3; ++k) {
      picture.pixels.push_back(static_cast<uint8_t>(stream.Word(k) >> (i % 24)));
    }
    if (i >= 40) summary.images.push_back(image);
    if (i % 4 == 0) summary.pictures[i] = picture;
  }
  EXPECT_LT(Html(summary).size(), 5'000'000u);
}

TEST(ReportTest, RejectedCsvIsOneRowEach) {
  PreparationSummary summary = SmallSummary();
  summary.images[1].index = 7;
  EXPECT_EQ(RejectedCsv(summary),
            "file,reason,score,image\n"
            "\"/in/x,\"\"y\"\".png\",ends early (at byte 5),,\n"
            "/in/Doe^Jane_1.png,exact duplicate of an earlier image,0.5,7\n");
}

}  // namespace
}  // namespace langevin::data
