#include "tests/data/testing.h"

#include <unistd.h>
#include <zlib.h>

#include <cstring>

#include "absl/strings/str_cat.h"
#include "data/dataset_writer.h"

namespace langevin::data {
namespace {

std::string BigEndian(uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16),
          static_cast<char>(value >> 8), static_cast<char>(value)};
}

std::string PngChunk(const std::string& type, const std::string& body) {
  const std::string checked = type + body;
  const uint32_t crc = static_cast<uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(checked.data()), static_cast<uInt>(checked.size())));
  return BigEndian(static_cast<uint32_t>(body.size())) + checked + BigEndian(crc);
}

}  // namespace

DataTest::DataTest() : folder_(absl::StrCat(testing::TempDir(), "data_test_", getpid())) {
  EXPECT_TRUE(files_.RemoveTree(folder_).ok());
  EXPECT_TRUE(files_.CreateFolders(folder_).ok());
}

void DataTest::Write(const std::string& name, std::string_view contents) {
  ASSERT_TRUE(files_.CreateFolders(ParentFolder(Path(name))).ok());
  ASSERT_TRUE(files_.WriteFileDurably(Path(name), contents).ok());
}

std::string DataTest::Read(const std::string& name) {
  const auto contents = files_.ReadFile(Path(name));
  EXPECT_TRUE(contents.ok()) << contents.status();
  return contents.value_or("");
}

void DataTest::FlipBit(const std::string& name, uint64_t offset) {
  std::string contents = Read(name);
  ASSERT_LT(offset, contents.size());
  contents[offset] = static_cast<char>(contents[offset] ^ 4);
  Write(name, contents);
}

void DataTest::Shorten(const std::string& name, uint64_t size) {
  ASSERT_TRUE(files_.Truncate(Path(name), size).ok());
}

std::vector<std::byte> TestPixels(const ShardSpec& spec, int64_t index) {
  std::vector<std::byte> pixels(static_cast<size_t>(spec.image_bytes()));
  uint32_t state = static_cast<uint32_t>(index) * 2654435761u + 1;
  const size_t step = SizeOf(spec.dtype);
  for (size_t i = 0; i < pixels.size(); i += step) {
    state = state * 1664525u + 1013904223u;
    const uint32_t integer = state >> 16;
    const float real = static_cast<float>(integer) / 32768 - 1;
    const void* const number = spec.dtype == DType::kFloat32 ? static_cast<const void*>(&real)
                                                             : static_cast<const void*>(&integer);
    std::memcpy(&pixels[i], number, step);
  }
  return pixels;
}

Manifest MakeTestDataset(const std::string& folder, const ShardSpec& spec, int64_t train,
                         int64_t validation, int64_t images_per_shard) {
  EXPECT_TRUE(PosixFileSystem().CreateFolders(folder).ok());
  DatasetWriter writer(PosixFileSystem(), folder, spec, {}, images_per_shard * spec.image_bytes());
  for (int64_t i = 0; i < train + validation; ++i) {
    const Split split = i < train ? Split::kTrain : Split::kValidation;
    EXPECT_TRUE(writer.Add(split, TestPixels(spec, i), i % 3).ok());
  }
  const auto manifest = writer.Finish(/*rejected=*/0, "inputs");
  EXPECT_TRUE(manifest.ok()) << manifest.status();
  return manifest.value_or(Manifest());
}

ShardSpec SmallSpec() {
  return {.shape = {.height = 4, .width = 3, .channels = 2},
          .dtype = DType::kUint8,
          .intensity_map = {.scale = 1 / 127.5, .offset = -1},
          .has_labels = true};
}

std::string MakePng(const PngHeader& header, const std::string& scanlines,
                    const std::string& palette) {
  std::string body = BigEndian(header.width) + BigEndian(header.height);
  for (const uint8_t byte :
       {header.bit_depth, header.color_type, uint8_t{0}, uint8_t{0}, header.interlaced}) {
    body += static_cast<char>(byte);
  }
  uLongf size = compressBound(scanlines.size());
  std::string compressed(size, '\0');
  compress(reinterpret_cast<Bytef*>(compressed.data()), &size,
           reinterpret_cast<const Bytef*>(scanlines.data()), scanlines.size());
  compressed.resize(size);
  return "\x89PNG\r\n\x1a\n" + PngChunk("IHDR", body) +
         (palette.empty() ? "" : PngChunk("PLTE", palette)) + PngChunk("IDAT", compressed) +
         PngChunk("IEND", "");
}

std::string MakeTestPng(uint32_t width, uint32_t height, int channels, int seed) {
  std::string scanlines;
  for (uint32_t y = 0; y < height; ++y) {
    scanlines += '\0';
    for (uint32_t x = 0; x < width * static_cast<uint32_t>(channels); ++x) {
      scanlines += static_cast<char>(seed * 31 + static_cast<int>(y * 7 + x * 3));
    }
  }
  return MakePng(
      {.width = width, .height = height, .color_type = static_cast<uint8_t>(channels == 3 ? 2 : 0)},
      scanlines);
}

}  // namespace langevin::data
