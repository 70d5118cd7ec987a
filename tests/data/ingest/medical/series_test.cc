#include "data/ingest/medical/series.h"

#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace langevin::data {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

DicomProbe ProbeAt(double z, const std::string& series = "00000000000000aa", int64_t number = 0) {
  DicomProbe probe = {.rows = 4, .columns = 4, .instance_number = number};
  probe.facts.series = series;
  probe.facts.position_mm = {0, 0, z};
  probe.facts.normal = {0, 0, 1};
  return probe;
}

TEST(SeriesTest, FilesOfDifferentSeriesSizesAndDirectionsAreApart) {
  std::vector<DicomProbe> probes = {ProbeAt(4), ProbeAt(0, "00000000000000bb"), ProbeAt(2)};
  probes.push_back(ProbeAt(0));
  probes.back().rows = 8;
  probes.push_back(ProbeAt(0));
  probes.back().facts.normal = {1, 0, 0};
  probes.push_back({.reason = "is a DICOMDIR"});
  const std::vector<DicomSeries> series = GroupIntoSeries(probes);
  ASSERT_EQ(series.size(), 4);
  EXPECT_THAT(series[0].files, ElementsAre(2, 0));
  EXPECT_THAT(series[1].files, ElementsAre(1));
  EXPECT_THAT(series[2].files, ElementsAre(3));
  EXPECT_THAT(series[3].files, ElementsAre(4));
}

TEST(SeriesTest, FilesOfSeveralFramesAndWithoutSeriesStayAlone) {
  std::vector<DicomProbe> probes = {ProbeAt(0), ProbeAt(1), ProbeAt(2, "")};
  probes[1].frames = 5;
  EXPECT_EQ(GroupIntoSeries(probes).size(), 3);
}

TEST(SeriesTest, WithoutPositionsInstanceNumbersOrder) {
  std::vector<DicomProbe> probes = {ProbeAt(0, "00000000000000aa", 9),
                                    ProbeAt(0, "00000000000000aa", 3)};
  for (DicomProbe& probe : probes) probe.facts.position_mm.reset();
  const std::vector<DicomSeries> series = GroupIntoSeries(probes);
  ASSERT_EQ(series.size(), 1);
  EXPECT_THAT(series[0].files, ElementsAre(1, 0));
  EXPECT_THAT(series[0].notes, ElementsAre(HasSubstr("InstanceNumber")));
}

TEST(SeriesTest, ProbesTravelAsText) {
  DicomProbe probe = ProbeAt(-1.0 / 3, "0123456789abcdef", -4);
  probe.facts.group = "fedcba9876543210";
  probe.facts.modality = "MR";
  probe.facts.spacing_mm = {0.1, 0.2};
  probe.facts.burned_in_annotation = true;
  probe.frames = 7;
  const auto back = ProbeFromText(ProbeToText(probe));
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->facts.position_mm, probe.facts.position_mm);
  EXPECT_EQ(back->facts.normal, probe.facts.normal);
  EXPECT_EQ(back->facts.spacing_mm, probe.facts.spacing_mm);
  EXPECT_EQ(back->facts.group, probe.facts.group);
  EXPECT_EQ(back->facts.series, probe.facts.series);
  EXPECT_EQ(back->facts.modality, "MR");
  EXPECT_TRUE(back->facts.burned_in_annotation);
  EXPECT_FALSE(back->facts.secondary_capture);
  EXPECT_EQ(back->frames, 7);
  EXPECT_EQ(back->instance_number, -4);
}

TEST(SeriesTest, NonsenseFromTheSandboxIsNotBelieved) {
  const std::string good = ProbeToText(ProbeAt(1));
  EXPECT_TRUE(ProbeFromText(good).ok());
  std::string name = good;
  name.replace(name.find("00000000000000aa"), 16, "Doe^Jane");
  for (const std::string& text : {std::string(), good + "\t", name, good.substr(0, 30)}) {
    EXPECT_FALSE(ProbeFromText(text).ok()) << text;
  }
}

}  // namespace
}  // namespace langevin::data
