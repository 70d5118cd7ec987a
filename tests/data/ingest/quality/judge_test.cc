#include "data/ingest/quality/judge.h"

#include <algorithm>
#include <bit>
#include <map>

#include "data/ingest/quality/hamming_index.h"
#include "data/ingest/quality/outliers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/data/ingest/quality/testing.h"

namespace langevin::data {
namespace {

using Kind = Finding::Kind;
using testing::ElementsAre;
using testing::IsEmpty;

JudgedImage Judged(const DecodedImage& image, Split split = Split::kTrain) {
  return {.measures = Measure(image), .shape = image.shape, .split = split};
}

std::vector<Finding> OfKind(const std::vector<Finding>& findings, Kind kind) {
  std::vector<Finding> some;
  std::copy_if(findings.begin(), findings.end(), std::back_inserter(some),
               [kind](const Finding& finding) { return finding.kind == kind; });
  return some;
}

std::vector<int64_t> ImagesOf(const std::vector<Finding>& findings, Kind kind) {
  std::vector<int64_t> images;
  for (const Finding& finding : OfKind(findings, kind)) images.push_back(finding.image);
  return images;
}

TEST(JudgeTest, NothingIsRejectedUnlessAsked) {
  std::vector<JudgedImage> images;
  images.push_back(Judged(Scene(1)));
  images.push_back(Judged(Scene(1)));
  images.push_back(Judged(Scene(1, 1, 1)));
  images.push_back(Judged(GrayOf(28, 28, [](int64_t, int64_t) { return 0; })));
  const std::vector<Finding> findings = Judge(images, {});
  EXPECT_THAT(ImagesOf(findings, Kind::kExactDuplicate), ElementsAre(1));
  EXPECT_THAT(ImagesOf(findings, Kind::kNearDuplicate), ElementsAre(2));
  EXPECT_THAT(ImagesOf(findings, Kind::kConstant), ElementsAre(3));
  EXPECT_THAT(ImagesOf(findings, Kind::kDark), ElementsAre(3));
  for (const Finding& finding : findings) EXPECT_FALSE(finding.rejected) << ReasonOf(finding);

  for (const Finding& finding : Judge(images, {.apply_profile = true})) {
    EXPECT_TRUE(finding.rejected) << ReasonOf(finding);
  }
  EXPECT_THAT(Judge(images, {.profile = configs::QualityProfile::kNone}), IsEmpty());
}

TEST(JudgeTest, ABoundRejectsWhatIsAboveItAndNothingElse) {
  std::vector<JudgedImage> images;
  for (int level = 0; level < 10; ++level) {
    images.push_back(
        Judged(GrayOf(28, 28, [level](int64_t y, int64_t x) { return 25 * level + (y + x) % 4; })));
  }
  const std::vector<Finding> dark = OfKind(Judge(images, {.max_dark = 0.8}), Kind::kDark);
  ASSERT_EQ(dark.size(), 2u);
  for (const Finding& finding : dark) {
    EXPECT_TRUE(finding.rejected);
    EXPECT_GT(finding.score, 0.8);
    EXPECT_EQ(ReasonOf(finding), "too dark");
  }
  EXPECT_THAT(ImagesOf(Judge(images, {.max_light = 0.8}), Kind::kLight), ElementsAre(9));
}

TEST(JudgeTest, DarkIsNormalInMedicalImages) {
  JudgedImage image = Judged(GrayOf(28, 28, [](int64_t y, int64_t x) { return y * x % 17; }));
  EXPECT_THAT(ImagesOf(Judge({&image, 1}, {}), Kind::kDark), ElementsAre(0));
  image.modality = "CT";
  EXPECT_THAT(ImagesOf(Judge({&image, 1}, {}), Kind::kDark), IsEmpty());
  EXPECT_THAT(
      ImagesOf(Judge({&image, 1}, {.profile = configs::QualityProfile::kPhoto}), Kind::kDark),
      ElementsAre(0));
}

TEST(JudgeTest, TheFirstOfAPairStays) {
  std::vector<JudgedImage> images = {Judged(Scene(2)), Judged(Scene(3)), Judged(Scene(2)),
                                     Judged(Scene(3, 1, 0)), Judged(Scene(2))};
  const std::vector<Finding> findings =
      Judge(images, {.reject_exact_duplicates = true, .near_duplicate_radius = 8});
  const std::vector<Finding> exact = OfKind(findings, Kind::kExactDuplicate);
  ASSERT_EQ(exact.size(), 2u);
  EXPECT_EQ(exact[0].image, 2);
  EXPECT_EQ(exact[0].other, 0);
  EXPECT_EQ(exact[1].other, 0);
  const std::vector<Finding> near = OfKind(findings, Kind::kNearDuplicate);
  ASSERT_EQ(near.size(), 1u);
  EXPECT_EQ(near[0].image, 3);
  EXPECT_EQ(near[0].other, 1);
  EXPECT_TRUE(near[0].rejected);
}

TEST(JudgeTest, DuplicatesInTheOtherSplitAreLeaks) {
  std::vector<JudgedImage> images = {Judged(Scene(4)),
                                     Judged(Scene(5)),
                                     Judged(Scene(4), Split::kValidation),
                                     Judged(Scene(5, 0, 1), Split::kValidation),
                                     Judged(Scene(6), Split::kValidation),
                                     Judged(Scene(6, 1, 0), Split::kValidation)};
  const std::vector<Finding> leaks = OfKind(Judge(images, {}), Kind::kLeak);
  ASSERT_EQ(leaks.size(), 2u);
  EXPECT_EQ(leaks[0].image, 2);
  EXPECT_EQ(leaks[0].other, 0);
  EXPECT_EQ(leaks[1].image, 3);
  EXPECT_EQ(leaks[1].other, 1);
}

TEST(JudgeTest, FindsOddSizesAndAspects) {
  std::vector<JudgedImage> images(40, JudgedImage{.shape = {100, 120, 1}});
  for (size_t i = 0; i < images.size(); ++i) {
    images[i].measures.exact_hash = {i, 0};
    images[i].shape.height += static_cast<int64_t>(i % 5);
  }
  images[7].shape = {1000, 1200, 1};
  images[9].shape = {40, 300, 1};
  const std::vector<Finding> findings = Judge(images, {.apply_profile = true});
  EXPECT_THAT(ImagesOf(findings, Kind::kOddSize), ElementsAre(7));
  EXPECT_THAT(ImagesOf(findings, Kind::kOddAspect), ElementsAre(9));
  EXPECT_FALSE(OfKind(findings, Kind::kOddSize)[0].rejected);  // Geometry's business.
}

TEST(JudgeTest, OutliersAreFoundAmongClusters) {
  std::vector<JudgedImage> images;
  for (uint64_t seed = 0; seed < 300; ++seed) images.push_back(Judged(Scene(seed)));
  for (uint64_t seed = 0; seed < 300; ++seed) {  // A second cluster is normal, too.
    DecodedImage bright = Scene(seed + 1000);
    for (std::byte& pixel : bright.pixels) pixel = ~pixel;
    images.push_back(Judged(bright));
  }
  const RandomStream stream(1, 0, RandomPurpose::kTrainingNoise);
  images[150] = Judged(GrayOf(28, 28, [&](int64_t y, int64_t x) {
    return stream.UniformInt(static_cast<uint32_t>(28 * y + x), 256);
  }));
  EXPECT_THAT(ImagesOf(Judge(images, {.max_outlier_score = 20}), Kind::kOutlier), ElementsAre(150));
}

TEST(JudgeTest, IsAFunctionOfTheRecords) {
  std::vector<JudgedImage> images;
  for (uint64_t seed = 0; seed < 200; ++seed) {
    images.push_back(Judged(Scene(seed % 150, static_cast<int64_t>(seed / 150)),
                            seed % 3 == 0 ? Split::kValidation : Split::kTrain));
  }
  const std::vector<Finding> once = Judge(images, {}), again = Judge(images, {});
  ASSERT_EQ(once.size(), again.size());
  for (size_t i = 0; i < once.size(); ++i) {
    EXPECT_EQ(once[i].kind, again[i].kind);
    EXPECT_EQ(once[i].image, again[i].image);
    EXPECT_EQ(once[i].other, again[i].other);
    EXPECT_EQ(once[i].score, again[i].score);
    if (i == 0) continue;
    EXPECT_LT(std::pair(once[i - 1].image, once[i - 1].kind),
              std::pair(once[i].image, once[i].kind))
        << "sorted, one of each kind";
  }
}

// Against the search of all pairs.
TEST(HammingIndexTest, FindsAllWithinTheRadius) {
  const RandomStream stream(3, 0, RandomPurpose::kTimestep);
  std::vector<uint64_t> hashes;
  for (uint32_t i = 0; i < 2000; ++i) {
    // Families: few bits away from one of twenty.
    uint64_t hash = stream.Word(2 * (i % 20)) | uint64_t{stream.Word(2 * (i % 20) + 1)} << 32;
    for (uint32_t j = 0; j < i % 12; ++j)
      hash ^= uint64_t{1} << stream.UniformInt(100 + 12 * i + j, 64);
    hashes.push_back(hash);
  }
  for (const int radius : {0, 3, 4, 8, 15}) {
    HammingIndex index(radius);
    for (size_t i = 0; i < hashes.size(); ++i) {
      std::vector<HammingIndex::Match> expected;
      for (size_t j = 0; j < i; ++j) {
        const int distance = std::popcount(hashes[i] ^ hashes[j]);
        if (distance <= radius) expected.push_back({distance, static_cast<int64_t>(j)});
      }
      std::sort(expected.begin(), expected.end());
      if (expected.size() > HammingIndex::kMostMatches) expected.resize(HammingIndex::kMostMatches);
      ASSERT_EQ(index.Find(hashes[i]), expected) << "radius " << radius << ", hash " << i;
      index.Add(hashes[i], static_cast<int64_t>(i));
    }
  }
}

}  // namespace
}  // namespace langevin::data
