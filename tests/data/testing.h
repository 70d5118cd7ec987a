// What the tests of data/ share: a folder of their own, small data sets whose every number is
// known, and PNG files written byte by byte.
#ifndef LANGEVIN_TESTS_DATA_TESTING_H_
#define LANGEVIN_TESTS_DATA_TESTING_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/file_system.h"
#include "data/manifest.h"
#include "data/shard_writer.h"
#include "gtest/gtest.h"

namespace langevin::data {

// An empty folder for each test.
class DataTest : public testing::Test {
 protected:
  DataTest();
  ~DataTest() override { files_.RemoveTree(folder_).IgnoreError(); }

  std::string Path(const std::string& name) const { return JoinPath(folder_, name); }
  // Writes a file, with the folders above it.
  void Write(const std::string& name, std::string_view contents);
  std::string Read(const std::string& name);
  // Turns one bit of the byte at `offset` over.
  void FlipBit(const std::string& name, uint64_t offset);
  void Shorten(const std::string& name, uint64_t size);

  FileSystem& files_ = PosixFileSystem();
  const std::string folder_;
};

// The bytes of image `index`: no two images, and hardly two numbers of one, are equal.
std::vector<std::byte> TestPixels(const ShardSpec& spec, int64_t index);

// Image i of split train is TestPixels(i) with label i % 3, those of validation follow on.
Manifest MakeTestDataset(const std::string& folder, const ShardSpec& spec, int64_t train,
                         int64_t validation, int64_t images_per_shard);

// 4 x 3 x 2 bytes with labels.
ShardSpec SmallSpec();

struct PngHeader {
  uint32_t width = 1;
  uint32_t height = 1;
  uint8_t bit_depth = 8;
  uint8_t color_type = 0;  // 0 gray, 2 RGB, 3 palette, 4 gray and alpha, 6 RGB and alpha.
  uint8_t interlaced = 0;
};

// A PNG file of scanlines, each with its filter byte. `palette`: RGB triples, empty for none.
std::string MakePng(const PngHeader& header, const std::string& scanlines,
                    const std::string& palette = "");

// An 8-bit PNG of this size whose pixels follow from `seed`.
std::string MakeTestPng(uint32_t width, uint32_t height, int channels, int seed);

}  // namespace langevin::data

#endif  // LANGEVIN_TESTS_DATA_TESTING_H_
