// What tests against nibabel (nifti_test.py) do not reach.
#include <cmath>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "data/ingest/readers/nifti_decoder.h"
#include "gtest/gtest.h"

namespace langevin::data {
namespace {

class Header {
 public:
  Header() : bytes_(352) {
    Put<int32_t>(0, 348);
    for (size_t i = 0; i < 4; ++i) Put<int16_t>(40 + 2 * i, static_cast<int16_t>(i == 0 ? 3 : 8));
    Put<int16_t>(70, 4);
    for (size_t i = 1; i < 4; ++i) Put<float>(76 + 4 * i, 2);
    Put<float>(108, 352);
    std::memcpy(&bytes_[344], "n+1", 4);
  }
  template <typename T>
  void Put(size_t offset, T value) {
    std::memcpy(&bytes_[offset], &value, sizeof(value));
  }
  absl::StatusOr<NiftiHeader> Parse() const { return ParseNiftiHeader(bytes_); }
  std::vector<std::byte>& bytes() { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

TEST(NiftiHeaderTest, AnAffineThatCannotBeIsPassedOver) {
  Header header;
  header.Put<int16_t>(254, 1);  // An sform of zeros,
  header.Put<int16_t>(252, 1);  // and a qform that turns half around z.
  header.Put<float>(264, 1);
  const auto parsed = header.Parse();
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->affine[0][0], -2);
  EXPECT_EQ(parsed->affine[1][1], -2);
  EXPECT_EQ(parsed->affine[2][2], 2);
}

TEST(NiftiHeaderTest, MetresAndMicronsBecomeMillimetres) {
  Header header;
  header.Put<uint8_t>(123, 3);
  EXPECT_NEAR(header.Parse()->affine[1][1], 0.002, 1e-9);
  header.Put<uint8_t>(123, 1);
  EXPECT_NEAR(header.Parse()->affine[1][1], 2000, 1e-9);
}

TEST(NiftiHeaderTest, DimensionsWhoseProductOverflowsAreRefused) {
  Header header;
  header.Put<int16_t>(40, 7);
  for (size_t i = 1; i < 8; ++i) header.Put<int16_t>(40 + 2 * i, 32767);
  EXPECT_FALSE(header.Parse().ok());
}

TEST(NiftiHeaderTest, TextOfTheRightLengthIsNoNifti) {
  const std::string text(600, 'x');
  EXPECT_FALSE(LooksLikeNifti(std::as_bytes(std::span(text))));
}

// A stand-in for the fuzz target, at the speed of a unit test.
TEST(NiftiHeaderTest, AnyBytesGiveAHeaderThatKeepsItsPromisesOrAReason) {
  std::mt19937 random(1);
  int parsed = 0;
  for (int round = 0; round < 100000; ++round) {
    Header header;
    header.bytes().resize(round % 3 == 0 ? 544 : 352);
    if (round % 3 == 0) {
      header.Put<int32_t>(0, 540);
      std::memcpy(&header.bytes()[4], "n+2", 4);
      header.Put<int16_t>(12, 4);
      for (size_t i = 0; i < 8; ++i) header.Put<int64_t>(16 + 8 * i, i == 0 ? 3 : 5);
    }
    for (int flips = 0; flips < 6; ++flips) {
      header.bytes()[random() % header.bytes().size()] = static_cast<std::byte>(random());
    }
    const auto result = header.Parse();
    if (!result.ok()) continue;
    ++parsed;
    int64_t voxels = 1;
    for (const int64_t size : result->dim) {
      ASSERT_GE(size, 1);
      ASSERT_FALSE(__builtin_mul_overflow(voxels, size, &voxels));
    }
    ASSERT_GE(result->data_offset, 0);
    ASSERT_TRUE(std::isfinite(result->slope) && std::isfinite(result->intercept));
    for (const auto& row : result->affine) {
      for (const double value : row) ASSERT_TRUE(std::isfinite(value));
    }
  }
  EXPECT_GT(parsed, 10000);
}

}  // namespace
}  // namespace langevin::data
