#include "core/base/philox.h"

#include <cmath>
#include <cstdint>
#include <vector>

#include "gtest/gtest.h"

namespace langevin {
namespace {

using Words = std::array<uint32_t, 4>;

// Known answers of the authors' Random123 distribution (kat_vectors).
TEST(PhiloxTest, GivesThePublishedValues) {
  EXPECT_EQ(Philox4x32({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(Philox4x32({~0U, ~0U, ~0U, ~0U}, {~0U, ~0U}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(Philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

// Running trainings rely on the layout of the counter as much as on the generator.
TEST(RandomStreamTest, DrawsAreFrozen) {
  const RandomStream stream(/*seed=*/42, /*position=*/7, RandomPurpose::kTrainingNoise);
  EXPECT_EQ(stream.Word(0), Philox4x32({7, 0, 1, 0}, {42, 0})[0]);
  EXPECT_EQ(stream.Word(5), Philox4x32({7, 0, 1, 1}, {42, 0})[1]);
  const RandomStream other(/*seed=*/1ULL << 32, /*position=*/3ULL << 32, RandomPurpose::kDropout,
                           /*substream=*/9);
  EXPECT_EQ(other.Word(0), Philox4x32({0, 3, 9 << 8 | 3, 0}, {0, 1})[0]);
}

TEST(RandomStreamTest, ValuesDoNotDependOnHowManyAreAskedFor) {
  const RandomStream stream(1, 2, RandomPurpose::kTrainingNoise);
  std::vector<float> normals(101), uniforms(101);
  stream.FillNormal(normals);
  stream.FillUniform(uniforms);
  for (size_t count = 0; count < normals.size(); ++count) {
    std::vector<float> fewer(count);
    stream.FillNormal(fewer);
    for (size_t i = 0; i < count; ++i) ASSERT_EQ(fewer[i], normals[i]);
    ASSERT_EQ(stream.Uniform(count), uniforms[count]);
  }
}

// 400,000 draws: the standard errors of the first four moments are 0.0016, 0.0022, 0.0061, 0.0155;
// five of them are allowed.
TEST(RandomStreamTest, NormalsHaveTheMomentsOfANormal) {
  std::vector<float> values(400000);
  RandomStream(3, 0, RandomPurpose::kTrainingNoise).FillNormal(values);
  double moments[5] = {};
  for (const float value : values) {
    double power = 1;
    for (double& moment : moments) {
      moment += power / values.size();
      power *= value;
    }
  }
  EXPECT_NEAR(moments[1], 0, 0.008);
  EXPECT_NEAR(moments[2], 1, 0.011);
  EXPECT_NEAR(moments[3], 0, 0.031);
  EXPECT_NEAR(moments[4], 3, 0.078);
}

// Two purposes, positions, substreams or seeds must share no more draws than chance has it.
TEST(RandomStreamTest, StreamsAreUncorrelated) {
  const RandomStream base(1, 1, RandomPurpose::kTrainingNoise, 1);
  for (const RandomStream& other : {RandomStream(2, 1, RandomPurpose::kTrainingNoise, 1),
                                    RandomStream(1, 2, RandomPurpose::kTrainingNoise, 1),
                                    RandomStream(1, 1, RandomPurpose::kTimestep, 1),
                                    RandomStream(1, 1, RandomPurpose::kTrainingNoise, 2)}) {
    std::vector<float> a(40000), b(40000);
    base.FillNormal(a);
    other.FillNormal(b);
    double correlation = 0;
    for (size_t i = 0; i < a.size(); ++i) correlation += a[i] * b[i] / a.size();
    EXPECT_LT(std::abs(correlation), 5 / std::sqrt(40000.0));
  }
}

TEST(RandomStreamTest, IntegersCoverTheirRangeEvenly) {
  const RandomStream stream(9, 0, RandomPurpose::kTimestep);
  std::vector<int> counts(10);
  for (uint32_t i = 0; i < 100000; ++i) ++counts.at(stream.UniformInt(i, 10));
  for (const int count : counts) EXPECT_NEAR(count, 10000, 5 * 95);  // sqrt(100000 * .1 * .9) = 95.
}

}  // namespace
}  // namespace langevin
