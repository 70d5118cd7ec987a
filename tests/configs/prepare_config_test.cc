#include <string>
#include <vector>

#include "configs/prepare_config_text.h"
#include "gtest/gtest.h"

namespace langevin::configs {
namespace {

std::string ErrorOf(const std::string& text, const std::vector<std::string>& overrides = {}) {
  const auto config = ParsePrepareConfig(text, "p.textproto", overrides);
  EXPECT_FALSE(config.ok()) << text;
  EXPECT_TRUE(config.ok() || absl::IsInvalidArgument(config.status()));
  return std::string(config.status().message());
}

void ExpectIn(const std::string& text, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    EXPECT_NE(text.find(word), std::string::npos) << word << " is not in: " << text;
  }
}

TEST(PrepareConfigTest, DefaultsAreThoseOfTheStructs) {
  const auto config = ParsePrepareConfig("", "", {});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(ToText(*config), ToText(PrepareConfig()));
}

TEST(PrepareConfigTest, EveryFieldGoesThroughTheText) {
  const auto config = ParsePrepareConfig(
      R"(seed: 7
         read { hdf5_images: "x" hdf5_labels: "y" color: RGB alpha: MASK exif_orientation: false }
         medical { voi: FIXED voi_index: 1 voi_name: "LUNG" voi_center: -600 voi_width: 1500
                   axis: CORONAL spacing_mm: [1, 0.5] skip_empty: 0.1 }
         geometry { fit: PAD pad_value: 3 buckets: ["64x64", "48x96"] filter: TRIANGLE }
         intensity { mode: CT low_percentile: 1 high_percentile: 99 foreground_above: -200 }
         quality { profile: MEDICAL apply_profile: true reject_exact_duplicates: true
                   near_duplicate_radius: 4 max_dark: 0.1 max_light: 0.2 max_blur: 0.3
                   max_low_information: 0.4 max_saturated: 0.5 max_padding: 0.6
                   reject_constant: true reject_non_finite: true max_outlier_score: 7 }
         missing { impute: LOCAL_MEAN constant: 5 keep_mask: false }
         split { validation_fraction: 0.25 group_by: SERIES }
         privacy { salt_file: "s" keep_burned_in: true keep_secondary_capture: true }
         shards { shard_mib: 64 layout: COMPRESSED })",
      "p", {});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->geometry.buckets, (std::vector<std::string>{"64x64", "48x96"}));
  EXPECT_EQ(config->geometry.filter, ResizeFilter::kTriangle);
  EXPECT_EQ(config->split.group_by, GroupBy::kSeries);
  EXPECT_EQ(config->medical.spacing_mm, (std::vector<double>{1, 0.5}));
  const std::string text = ToText(*config);
  const auto again = ParsePrepareConfig(text, "again", {});
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(ToText(*again), text);
}

TEST(PrepareConfigTest, OverridesReplaceAndUnset) {
  const auto config = ParsePrepareConfig(
      "quality { max_dark: 0.5 } shards { shard_mib: 64 }", "p",
      {"quality.max_dark=null", "shards.shard_mib=128", "medical.spacing_mm=[1,2,3]",
       "geometry.buckets=[32x64,64x32]", "geometry.fit=CROP"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_FALSE(config->quality.max_dark.has_value());
  EXPECT_EQ(config->shards.shard_mib, 128);
  EXPECT_EQ(config->medical.spacing_mm.size(), 3);
  EXPECT_EQ(config->geometry.buckets.size(), 2);
}

TEST(PrepareConfigTest, MistakesNamePlaceFieldValueAndWhatIsAllowed) {
  ExpectIn(ErrorOf("seed: 1\ngeometry {\n  hight: 64\n}"),
           {"p.textproto:3", "geometry.hight", "height", "no such field"});
  ExpectIn(ErrorOf("geometri { }"), {"p.textproto:1", "a prepare config has", "geometry"});
  ExpectIn(ErrorOf("\nsplit { validation_fraction: 1 }"),
           {"p.textproto:2", "split.validation_fraction", "1", "below 1"});
  ExpectIn(ErrorOf("", {"shards.shard_mib=0"}), {"--set shards.shard_mib=0", "1 to 4096"});
  ExpectIn(ErrorOf("geometry { fit: CROPP }"), {"CROPP", "CROP, PAD, STRETCH"});
  ExpectIn(ErrorOf("train { microbatch: 4 }"), {"no such field"});
}

TEST(PrepareConfigTest, ContradictionsAreMistakes) {
  ExpectIn(ErrorOf("geometry { height: 64 }"), {"geometry.width", "together"});
  ExpectIn(ErrorOf("geometry { tile_stride: 8 }"), {"geometry.tile_stride", "size"});
  ExpectIn(ErrorOf("geometry { height: 8 width: 8 tile_stride: 8 fit: CROP }"), {"geometry.fit"});
  ExpectIn(ErrorOf("geometry { fit: CROP }"), {"geometry.fit", "height"});
  ExpectIn(ErrorOf("geometry { buckets: '64x' fit: CROP }"), {"64x", "64x96"});
  ExpectIn(ErrorOf("geometry { buckets: ['8x8', '8x8'] fit: CROP }"), {"twice"});
  ExpectIn(ErrorOf("geometry { buckets: '8x8' }"), {"geometry.fit"});
  ExpectIn(ErrorOf("geometry { buckets: '8x8' height: 8 width: 8 }"), {"geometry.buckets"});
  ExpectIn(ErrorOf("intensity { mode: WINDOW low: 5 high: 5 }"), {"intensity.high", "above"});
  ExpectIn(ErrorOf("intensity { low: 5 }"), {"intensity.low", "WINDOW"});
  ExpectIn(ErrorOf("intensity { low_percentile: 60 high_percentile: 40 }"), {"high_percentile"});
  ExpectIn(ErrorOf("medical { spacing_mm: 1 }"), {"spacing_mm", "2 (rows, columns) or 3"});
  ExpectIn(ErrorOf("quality { near_duplicate_radius: 33 }"), {"0 to 32"});
  ExpectIn(ErrorOf("quality { max_blur: nan }"), {"quality.max_blur", "from 0 to 1"});
}

}  // namespace
}  // namespace langevin::configs
