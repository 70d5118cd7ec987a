// Masks, conditions, groups and the compressed layout, written and read back.
#include <spng.h>
#include <turbojpeg.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/dataset_writer.h"
#include "data/image_codec.h"
#include "data/shard_header.h"
#include "data/shard_reader.h"
#include "tests/data/testing.h"

namespace langevin::data {
namespace {

constexpr int64_t kCount = 11;

// Most of the time all ones; image 4 and image 9 have holes.
std::vector<uint8_t> MaskOf(int64_t index) {
  std::vector<uint8_t> mask(12, 1);
  if (index % 5 == 4) mask[static_cast<size_t>(index)] = mask[2] = 0;
  return mask;
}

std::vector<float> ConditionOf(int64_t index) {
  return {static_cast<float>(index), -0.5f, 1.0f / static_cast<float>(index + 1)};
}

uint64_t GroupOf(int64_t index) { return 0xfedcba9876543210u + static_cast<uint64_t>(index / 3); }

class ShardExtrasTest : public DataTest {
 protected:
  Manifest Make(const std::string& name, const ShardSpec& spec, bool with_masks = true,
                int64_t per_shard = 4) {
    EXPECT_TRUE(files_.CreateFolders(Path(name)).ok());
    DatasetWriter writer(files_, Path(name), spec, {}, per_shard * spec.image_bytes());
    for (int64_t i = 0; i < kCount; ++i) {
      const std::vector<std::byte> pixels = TestPixels(spec, i);
      const std::vector<uint8_t> mask = MaskOf(i);
      std::vector<float> condition = ConditionOf(i);
      condition.resize(static_cast<size_t>(spec.condition_size));
      EXPECT_TRUE(writer
                      .Add(Split::kTrain, {.pixels = pixels,
                                           .label = i % 3,
                                           .mask = with_masks ? mask : std::vector<uint8_t>(),
                                           .group = GroupOf(i),
                                           .condition = condition})
                      .ok());
    }
    const auto manifest = writer.Finish(0, "inputs");
    EXPECT_TRUE(manifest.ok()) << manifest.status();
    return manifest.value_or(Manifest());
  }

  absl::StatusOr<std::unique_ptr<Dataset>> Open(const std::string& name) {
    return Dataset::Open(files_, Path(name), Split::kTrain);
  }
};

ShardSpec FullSpec(bool compressed, DType dtype = DType::kUint8) {
  ShardSpec spec = SmallSpec();
  spec.dtype = dtype;
  spec.has_groups = true;
  spec.condition_size = 3;
  spec.compressed = compressed;
  return spec;
}

TEST_F(ShardExtrasTest, EverythingComesBackFromBothLayouts) {
  for (const bool compressed : {false, true}) {
    for (const DType dtype : {DType::kUint8, DType::kUint16, DType::kFloat32}) {
      const ShardSpec spec = FullSpec(compressed, dtype);
      ASSERT_TRUE(files_.RemoveTree(Path("data")).ok());
      Make("data", spec);
      const auto dataset = Open("data");
      ASSERT_TRUE(dataset.ok()) << dataset.status();
      EXPECT_TRUE((*dataset)->has_masks());
      EXPECT_TRUE((*dataset)->has_groups());
      ASSERT_EQ((*dataset)->condition_size(), 3);
      const auto image_bytes = static_cast<size_t>(spec.image_bytes());
      std::vector<std::byte> all(kCount * image_bytes);
      ASSERT_TRUE((*dataset)->ReadImages(0, kCount, true, all).ok());
      for (int64_t i = 0; i < kCount; ++i) {
        std::vector<std::byte> pixels(image_bytes);
        std::vector<uint8_t> mask(12);
        std::vector<float> condition(3);
        ASSERT_TRUE((*dataset)->ReadImage(i, true, pixels).ok());
        ASSERT_TRUE((*dataset)->ReadExtras(i, true, mask, condition).ok());
        EXPECT_EQ(pixels, TestPixels(spec, i));
        EXPECT_TRUE(std::equal(pixels.begin(), pixels.end(),
                               all.begin() + static_cast<int64_t>(image_bytes) * i));
        EXPECT_EQ(mask, MaskOf(i));
        EXPECT_EQ(condition, ConditionOf(i));
        EXPECT_EQ((*dataset)->group(i), GroupOf(i));
        EXPECT_EQ((*dataset)->label(i), i % 3);
      }
    }
  }
}

TEST_F(ShardExtrasTest, FingerprintStandsForExtrasButNotForLayoutOrCut) {
  const std::string name = Make("a", FullSpec(false)).fingerprint;
  EXPECT_EQ(Make("b", FullSpec(true)).fingerprint, name);
  EXPECT_EQ(Make("c", FullSpec(false), true, 100).fingerprint, name);
  EXPECT_NE(Make("d", FullSpec(false), /*with_masks=*/false).fingerprint, name);
  ShardSpec spec = FullSpec(false);
  spec.has_groups = false;
  EXPECT_NE(Make("e", spec).fingerprint, name);
  spec = FullSpec(false);
  spec.condition_size = 2;
  EXPECT_NE(Make("f", spec).fingerprint, name);
}

// A mask of nothing but ones is not written, and a shard without a hole has no masks.
TEST_F(ShardExtrasTest, MasksAreOnlyWhereThereAreHoles) {
  ShardSpec spec = SmallSpec();
  Make("data", spec);
  const auto holes = ShardReader::Open(files_, Path("data/train-00001-of-00003.h5"));
  const auto none = ShardReader::Open(files_, Path("data/train-00000-of-00003.h5"));
  ASSERT_TRUE(holes.ok() && none.ok()) << holes.status() << none.status();
  EXPECT_TRUE((*holes)->has_masks());
  EXPECT_FALSE((*none)->has_masks());
  // And where there are neither masks nor anything else, the fingerprint is version 1's.
  const Manifest plain = MakeTestDataset(Path("plain"), spec, kCount, 0, 4);
  EXPECT_EQ(Make("ones", spec, /*with_masks=*/false).fingerprint, plain.fingerprint);
  EXPECT_EQ(plain.fingerprint, "a0cbf3e1ad87d8814b69a507d50777aa");
}

// Each byte of images, masks, conditions, groups and indexes is guarded: after a change opening or
// reading fails, or all is as it was (the place of a mask that has no bytes). HDF5's own headers
// are not guarded: people whom nobody trusts must not write them.
TEST_F(ShardExtrasTest, NoChangedByteIsReadAsData) {
  const std::pair<const char*, int> arrays[] = {
      {"images", 4},    {"masks", 3},      {"blob", 1},         {"index", 2},
      {"mask_blob", 1}, {"mask_index", 2}, {"group", 1},        {"crc32c", 1},
      {"labels", 1},    {"conditions", 2}, {"extras_crc32c", 1}};
  for (const bool compressed : {false, true}) {
    ASSERT_TRUE(files_.RemoveTree(Path("data")).ok());
    const ShardSpec spec = FullSpec(compressed);
    Make("data", spec, true, 100);
    const std::string shard = "data/train-00000-of-00001.h5";
    const std::string contents = Read(shard);
    std::vector<std::pair<uint64_t, uint64_t>> extents;
    {
      const Hdf5Session session;
      ShardHeader header(Path(shard), contents.size());
      ASSERT_TRUE(header.Open().ok());
      for (const auto& [name, rank] : arrays) {
        if (!header.Has(name)) continue;
        const auto extent = header.Array(name, rank);
        ASSERT_TRUE(extent.ok()) << extent.status();
        extents.emplace_back(extent->offset, extent->bytes);
      }
    }
    EXPECT_EQ(extents.size(), compressed ? 9 : 7);
    // Place, code and checksum of the nine masks that are all ones and have no bytes.
    int unused = 9 * 3 * 8;
    int total = 0;
    for (const auto& [begin, bytes] : extents) {
      for (uint64_t offset = begin; offset < begin + bytes; ++offset) {
        std::string changed = contents;
        changed[offset] = static_cast<char>(changed[offset] ^ 0x10);
        std::ofstream(Path(shard), std::ios::binary) << changed;
        const auto dataset = Open("data");
        int found = !dataset.ok();
        for (int64_t i = 0; dataset.ok() && i < kCount; ++i) {
          std::vector<std::byte> pixels(static_cast<size_t>(spec.image_bytes()));
          std::vector<uint8_t> mask(12);
          std::vector<float> condition(3);
          found += !(*dataset)->ReadImage(i, true, pixels).ok();
          found += !(*dataset)->ReadExtras(i, true, mask, condition).ok();
          if (found > 0) break;
          ASSERT_EQ(pixels, TestPixels(spec, i));
          ASSERT_EQ(mask, MaskOf(i));
          ASSERT_EQ(condition, ConditionOf(i));
        }
        total += found > 0;
        ASSERT_TRUE(found > 0 || (compressed && unused > 0))
            << "byte " << offset - begin << " of the array at " << begin;
        unused -= found == 0;
      }
    }
    EXPECT_GT(total, 500);
  }
}

std::vector<std::byte> EncodePng(const std::vector<std::byte>& pixels, uint32_t height,
                                 uint32_t width, uint8_t color, uint8_t depth) {
  spng_ctx* const context = spng_ctx_new(SPNG_CTX_ENCODER);
  spng_set_option(context, SPNG_ENCODE_TO_BUFFER, 1);
  spng_ihdr header = {.width = width, .height = height, .bit_depth = depth, .color_type = color};
  spng_set_ihdr(context, &header);
  EXPECT_EQ(
      spng_encode_image(context, pixels.data(), pixels.size(), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE),
      0);
  size_t size = 0;
  int error = 0;
  void* const file = spng_get_png_buffer(context, &size, &error);
  const std::vector<std::byte> bytes(static_cast<std::byte*>(file),
                                     static_cast<std::byte*>(file) + size);
  free(file);
  spng_ctx_free(context);
  return bytes;
}

TEST(ImageCodecTest, PngAndJpegFilesAreKeptAndDecoded) {
  const ImageShape shape = {.height = 16, .width = 24, .channels = 3};
  ShardSpec spec = {.shape = shape};
  std::vector<std::byte> pixels = TestPixels(spec, 1), decoded(pixels.size());
  const std::vector<std::byte> png = EncodePng(pixels, 16, 24, SPNG_COLOR_TYPE_TRUECOLOR, 8);
  ASSERT_TRUE(DecodeImage(ImageCodec::kPng, png, shape, DType::kUint8, decoded).ok());
  EXPECT_EQ(decoded, pixels);

  spec = {.shape = {.height = 16, .width = 24, .channels = 1}, .dtype = DType::kUint16};
  const std::vector<std::byte> deep = TestPixels(spec, 2);
  std::vector<std::byte> deep_decoded(deep.size());
  const std::vector<std::byte> deep_png = EncodePng(deep, 16, 24, SPNG_COLOR_TYPE_GRAYSCALE, 16);
  ASSERT_TRUE(
      DecodeImage(ImageCodec::kPng, deep_png, spec.shape, DType::kUint16, deep_decoded).ok());
  EXPECT_EQ(deep_decoded, deep);

  const tjhandle encoder = tjInitCompress();
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  for (size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::byte>(i / 7);
  ASSERT_EQ(tjCompress2(encoder, reinterpret_cast<unsigned char*>(pixels.data()), 24, 0, 16,
                        TJPF_RGB, &buffer, &size, TJSAMP_444, 95, 0),
            0);
  const std::span<const std::byte> jpeg(reinterpret_cast<std::byte*>(buffer), size);
  ASSERT_TRUE(DecodeImage(ImageCodec::kJpeg, jpeg, shape, DType::kUint8, decoded).ok());
  for (size_t i = 0; i < pixels.size(); ++i) {
    ASSERT_NEAR(std::to_integer<int>(decoded[i]), std::to_integer<int>(pixels[i]), 24);
  }
  // What is not the image that the shard is of is refused, and so is anything cut short.
  const ImageShape wider = {.height = 16, .width = 25, .channels = 3};
  const ImageShape gray = {.height = 16, .width = 24, .channels = 1};
  std::vector<std::byte> large(16 * 25 * 3), small(16 * 24);
  for (const auto& [codec, bytes] :
       {std::pair(ImageCodec::kPng, std::span(png)), std::pair(ImageCodec::kJpeg, jpeg)}) {
    EXPECT_FALSE(DecodeImage(codec, bytes, wider, DType::kUint8, large).ok());
    EXPECT_FALSE(DecodeImage(codec, bytes, gray, DType::kUint8, small).ok());
    for (const size_t kept : {size_t{0}, size_t{10}, bytes.size() / 2}) {
      EXPECT_FALSE(DecodeImage(codec, bytes.first(kept), shape, DType::kUint8, decoded).ok());
    }
  }
  tjFree(buffer);
  tjDestroy(encoder);
}

TEST(ImageCodecTest, WhatCanBeShortenedIs) {
  const ImageShape shape = {.height = 32, .width = 32, .channels = 2};
  std::vector<std::byte> pixels(4096);
  for (size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<std::byte>(i % 2 == 0 ? i / 256 : 7);  // Little endian 16 bits.
  }
  const EncodedImage smooth = EncodeImage(pixels, 4);
  EXPECT_EQ(smooth.codec, ImageCodec::kZlib);
  EXPECT_LT(smooth.bytes.size(), 200);
  std::vector<std::byte> decoded(pixels.size());
  ASSERT_TRUE(DecodeImage(smooth.codec, smooth.bytes, shape, DType::kUint16, decoded).ok());
  EXPECT_EQ(decoded, pixels);
  const std::vector<std::byte> noise = TestPixels({.shape = shape, .dtype = DType::kUint16}, 3);
  const EncodedImage stored = EncodeImage(noise, 4);
  EXPECT_EQ(stored.codec, ImageCodec::kStored);
  EXPECT_EQ(stored.bytes, noise);
  // A stream that holds more or less than the image.
  std::vector<std::byte> shorter(2048), longer(8192);
  EXPECT_FALSE(
      DecodeImage(ImageCodec::kZlib, smooth.bytes, {16, 32, 2}, DType::kUint16, shorter).ok());
  EXPECT_FALSE(
      DecodeImage(ImageCodec::kZlib, smooth.bytes, {64, 32, 2}, DType::kUint16, longer).ok());
}

TEST_F(ShardExtrasTest, KeptFilesAreReadFromACompressedShard) {
  ShardSpec spec = {.shape = {.height = 16, .width = 24, .channels = 3}, .compressed = true};
  ASSERT_TRUE(files_.CreateFolders(Path("data")).ok());
  DatasetWriter writer(files_, Path("data"), spec, {}, 1 << 20);
  for (int64_t i = 0; i < 5; ++i) {
    const std::vector<std::byte> pixels = TestPixels(spec, i);
    const std::vector<std::byte> png = EncodePng(pixels, 16, 24, SPNG_COLOR_TYPE_TRUECOLOR, 8);
    ShardSample sample = {.pixels = pixels};
    if (i % 2 == 0) sample.codec = ImageCodec::kPng;
    if (i % 2 == 0) sample.encoded = png;
    ASSERT_TRUE(writer.Add(Split::kTrain, sample).ok());
    EXPECT_TRUE(i % 2 != 0 || !png.empty());
  }
  ASSERT_TRUE(writer.Finish(0, "").ok());
  const auto dataset = Open("data");
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  std::vector<std::byte> pixels(static_cast<size_t>(spec.image_bytes()));
  for (int64_t i = 0; i < 5; ++i) {
    ASSERT_TRUE((*dataset)->ReadImage(i, true, pixels).ok());
    EXPECT_EQ(pixels, TestPixels(spec, i));
  }
  EXPECT_NE(Read("data/train-00000-of-00001.h5").find("IHDR"), std::string::npos);
}

}  // namespace
}  // namespace langevin::data
