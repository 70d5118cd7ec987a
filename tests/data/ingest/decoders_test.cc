// PNG files are written byte by byte here, so that what comes out is compared with the scanlines
// that went in and not with another decoder's opinion.
#include "data/ingest/decoders.h"

#include <zlib.h>

#include <cstring>
#include <vector>

#include "tests/data/testing.h"

namespace langevin::data {
namespace {

using std::string_literals::operator""s;

class DecodersTest : public DataTest {
 protected:
  DecodeOptions options_;

  std::vector<DecodedImage> Decode(const std::string& name) {
    std::vector<DecodedImage> images;
    const absl::Status status = DecodeFile(Path(name), options_, [&](const DecodedImage& image) {
      images.push_back(image);
      return absl::OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status;
    return images;
  }

  // The one image of a PNG with this content.
  DecodedImage DecodePngBytes(const std::string& contents) {
    Write("a.png", contents);
    std::vector<DecodedImage> images = Decode("a.png");
    EXPECT_EQ(images.size(), 1);
    return images.empty() ? DecodedImage() : images[0];
  }

  void ExpectUnreadable(const std::string& name, const std::string& contents,
                        const std::string& why = "") {
    Write(name, contents);
    const absl::Status status =
        DecodeFile(Path(name), options_, [](const DecodedImage&) { return absl::OkStatus(); });
    EXPECT_FALSE(status.ok());
    EXPECT_NE(status.message().find(why), absl::string_view::npos) << status;
  }
};

std::vector<int> Bytes(const DecodedImage& image) {
  std::vector<int> values;
  for (const std::byte byte : image.pixels) values.push_back(std::to_integer<int>(byte));
  return values;
}

std::vector<int> Words(const DecodedImage& image) {
  std::vector<uint16_t> words(image.pixels.size() / 2);
  std::memcpy(words.data(), image.pixels.data(), image.pixels.size());
  return {words.begin(), words.end()};
}

TEST_F(DecodersTest, PngOfEightBits) {
  const DecodedImage gray = DecodePngBytes(MakePng({.width = 2, .height = 2}, "\0\1\2\0\3\xff"s));
  EXPECT_EQ(gray.shape, (ImageShape{.height = 2, .width = 2, .channels = 1}));
  EXPECT_EQ(gray.dtype, DType::kUint8);
  EXPECT_EQ(Bytes(gray), (std::vector<int>{1, 2, 3, 255}));

  const DecodedImage rgb =
      DecodePngBytes(MakePng({.width = 2, .height = 1, .color_type = 2}, "\0\1\2\3\4\5\6"s));
  EXPECT_EQ(rgb.shape.channels, 3);
  EXPECT_EQ(Bytes(rgb), (std::vector<int>{1, 2, 3, 4, 5, 6}));
  EXPECT_FALSE(rgb.alpha_left_out);
}

TEST_F(DecodersTest, PngOfSixteenBitsKeepsThemAll) {
  const DecodedImage gray =
      DecodePngBytes(MakePng({.width = 2, .height = 1, .bit_depth = 16}, "\0\x12\x34\xff\xfe"s));
  EXPECT_EQ(gray.dtype, DType::kUint16);
  EXPECT_EQ(gray.bits, 16);
  EXPECT_EQ(Words(gray), (std::vector<int>{0x1234, 0xfffe}));

  const DecodedImage rgb = DecodePngBytes(
      MakePng({.width = 1, .height = 1, .bit_depth = 16, .color_type = 2}, "\0\0\1\1\0\xff\xff"s));
  EXPECT_EQ(Words(rgb), (std::vector<int>{1, 256, 65535}));
}

TEST_F(DecodersTest, PngAlphaIsLeftOutAndSaid) {
  const DecodedImage gray =
      DecodePngBytes(MakePng({.width = 2, .height = 1, .color_type = 4}, "\0\1\x80\2\x81"s));
  EXPECT_EQ(gray.shape.channels, 1);
  EXPECT_TRUE(gray.alpha_left_out);
  EXPECT_EQ(Bytes(gray), (std::vector<int>{1, 2}));
  const DecodedImage gray16 = DecodePngBytes(
      MakePng({.width = 1, .height = 1, .bit_depth = 16, .color_type = 4}, "\0\1\2\3\4"s));
  EXPECT_EQ(Words(gray16), (std::vector<int>{0x0102}));
  const DecodedImage rgb = DecodePngBytes(
      MakePng({.width = 2, .height = 1, .color_type = 6}, "\0\1\2\3\x80\4\5\6\x81"s));
  EXPECT_EQ(rgb.shape.channels, 3);
  EXPECT_EQ(Bytes(rgb), (std::vector<int>{1, 2, 3, 4, 5, 6}));
}

TEST_F(DecodersTest, PngOfFewBitsFillsTheRangeOfAByte) {
  // Eight pixels a byte: 10100000 for three of them.
  EXPECT_EQ(Bytes(DecodePngBytes(MakePng({.width = 3, .height = 1, .bit_depth = 1}, "\0\xa0"s))),
            (std::vector<int>{255, 0, 255}));
  EXPECT_EQ(Bytes(DecodePngBytes(MakePng({.width = 4, .height = 1, .bit_depth = 2}, "\0\x1b"s))),
            (std::vector<int>{0, 85, 170, 255}));
  EXPECT_EQ(Bytes(DecodePngBytes(MakePng({.width = 2, .height = 1, .bit_depth = 4}, "\0\x1f"s))),
            (std::vector<int>{17, 255}));
}

TEST_F(DecodersTest, PngPaletteGivesColours) {
  const DecodedImage image =
      DecodePngBytes(MakePng({.width = 2, .height = 1, .bit_depth = 8, .color_type = 3}, "\0\1\0"s,
                             /*palette=*/"\1\2\3\4\5\6"));
  EXPECT_EQ(image.shape.channels, 3);
  EXPECT_EQ(Bytes(image), (std::vector<int>{4, 5, 6, 1, 2, 3}));
}

// Adam7's passes of a 3 x 3 image, in the order of the PNG specification: pixel (0, 0); then none
// in the second and third; (0, 2) in the fourth; rows 0 and 2 ... in the fifth to seventh.
TEST_F(DecodersTest, PngInterlaced) {
  const DecodedImage image =
      DecodePngBytes(MakePng({.width = 3, .height = 3, .interlaced = 1},
                             "\0\1"s         // Pass 1: (0, 0).
                             "\0\3"s         // Pass 4: column 2 of row 0.
                             "\0\7\x9"s      // Pass 5: columns 0 and 2 of row 2.
                             "\0\2\0\x8"s    // Pass 6: column 1 of rows 0 and 2.
                             "\0\4\5\6"s));  // Pass 7: row 1.
  EXPECT_EQ(Bytes(image), (std::vector<int>{1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST_F(DecodersTest, DamagedPngGivesAReason) {
  const std::string good = MakeTestPng(28, 28, 1, /*seed=*/1);
  ExpectUnreadable("a.png", "", "empty");
  ExpectUnreadable("a.png", "GIF89a, truly", "it seems to be GIF");
  // The last four bytes, a checksum over nothing, do not matter.
  for (size_t size = 1; size < good.size() - 4; ++size) {
    SCOPED_TRACE(size);
    ExpectUnreadable("a.png", good.substr(0, size));
  }
  std::string flipped = good;
  flipped[60] = static_cast<char>(flipped[60] ^ 1);
  ExpectUnreadable("a.png", flipped);
}

// 60,000 x 60,000 pixels of 16-bit colour: 21 GB out of 100 bytes.
TEST_F(DecodersTest, PngThatClaimsTooManyPixelsIsRefusedBeforeMemoryIsTaken) {
  ExpectUnreadable(
      "a.png", MakePng({.width = 60000, .height = 60000, .bit_depth = 16, .color_type = 2}, "\0"s),
      "60000 x 60000");
}

std::string Gzip(const std::string& contents) {
  z_stream stream = {};
  deflateInit2(&stream, 6, Z_DEFLATED, /*windowBits=*/15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(contents.size() + 1000, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(contents.data()));
  stream.avail_in = static_cast<uInt>(contents.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

const std::string kTwoImages =
    "\0\0\x8\3\0\0\0\2\0\0\0\2\0\0\0\3"
    "abcdefghijkl"s;

TEST_F(DecodersTest, IdxPlainAndCompressed) {
  for (const std::string& contents : {kTwoImages, Gzip(kTwoImages)}) {
    Write("train-images-idx3-ubyte", contents);
    const std::vector<DecodedImage> images = Decode("train-images-idx3-ubyte");
    ASSERT_EQ(images.size(), 2);
    EXPECT_EQ(images[0].shape, (ImageShape{.height = 2, .width = 3, .channels = 1}));
    EXPECT_EQ(images[1].images_in_file, 2);
    EXPECT_EQ(Bytes(images[0]), (std::vector<int>{'a', 'b', 'c', 'd', 'e', 'f'}));
    EXPECT_EQ(Bytes(images[1]), (std::vector<int>{'g', 'h', 'i', 'j', 'k', 'l'}));
  }
}

TEST_F(DecodersTest, IdxLabelsAreOneRow) {
  Write("labels", "\0\0\x8\1\0\0\0\3\5\6\7"s);
  const std::vector<DecodedImage> images = Decode("labels");
  ASSERT_EQ(images.size(), 1);
  EXPECT_EQ(Bytes(images[0]), (std::vector<int>{5, 6, 7}));
}

TEST_F(DecodersTest, DamagedIdxGivesAReason) {
  ExpectUnreadable("a", "", "is empty");
  ExpectUnreadable("a", kTwoImages.substr(0, 14), "truncated");
  ExpectUnreadable("a", kTwoImages.substr(0, kTwoImages.size() - 1), "truncated");
  ExpectUnreadable("a", kTwoImages + "x", "longer");
  std::string wrong_magic = kTwoImages;
  wrong_magic[0] = 1;
  ExpectUnreadable("a", wrong_magic, "is of no kind");
  ExpectUnreadable("a", "\0\0\x0d\3"s + kTwoImages.substr(4), "truncated");  // Floats: too few.
  ExpectUnreadable("a", "\0\0\x8\3\0\0\0\2\xff\xff\xff\xff\xff\xff\xff\xff"s,
                   "which no images have");
  const std::string compressed = Gzip(kTwoImages);
  ExpectUnreadable("a", compressed.substr(0, compressed.size() - 9), "truncated");
  ExpectUnreadable("a", compressed.substr(0, compressed.size() - 1), "truncated");
  std::string flipped = compressed;
  flipped[flipped.size() - 6] ^= 1;  // In gzip's own checksum.
  ExpectUnreadable("a", flipped, "compression is damaged");
}

}  // namespace
}  // namespace langevin::data
