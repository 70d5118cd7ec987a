#include "core/base/png.h"

#include <spng.h>

#include <cmath>
#include <limits>
#include <memory>
#include <numeric>

#include "gtest/gtest.h"

namespace langevin {
namespace {

// Decodes with the library, without any conversion.
Picture Decode(const std::string& png) {
  const std::unique_ptr<spng_ctx, void (*)(spng_ctx*)> context(spng_ctx_new(0), spng_ctx_free);
  EXPECT_EQ(spng_set_png_buffer(context.get(), png.data(), png.size()), 0);
  spng_ihdr header{};
  EXPECT_EQ(spng_get_ihdr(context.get(), &header), 0);
  EXPECT_EQ(header.bit_depth, 8);
  Picture picture;
  picture.width = header.width;
  picture.height = header.height;
  picture.channels = header.color_type == SPNG_COLOR_TYPE_GRAYSCALE ? 1 : 3;
  size_t size = 0;
  EXPECT_EQ(spng_decoded_image_size(context.get(), SPNG_FMT_PNG, &size), 0);
  picture.pixels.resize(size);
  EXPECT_EQ(spng_decode_image(context.get(), picture.pixels.data(), size, SPNG_FMT_PNG, 0), 0);
  return picture;
}

TEST(PngTest, DecodesToTheSamePixels) {
  for (const int channels : {1, 3}) {
    Picture picture{.width = 5, .height = 3, .channels = channels, .pixels = {}};
    picture.pixels.resize(15 * channels);
    for (size_t i = 0; i < picture.pixels.size(); ++i) picture.pixels[i] = 37 * i + 11;
    const auto png = EncodePng(picture);
    ASSERT_TRUE(png.ok()) << png.status();
    const Picture decoded = Decode(*png);
    EXPECT_EQ(decoded.width, 5);
    EXPECT_EQ(decoded.height, 3);
    EXPECT_EQ(decoded.channels, channels);
    EXPECT_EQ(decoded.pixels, picture.pixels);
  }
}

TEST(PngTest, ImpossiblePicturesAreErrors) {
  EXPECT_TRUE(absl::IsInternal(EncodePng(Picture{}).status()));  // PNG has no empty pictures.
  EXPECT_TRUE(
      absl::IsInternal(EncodePng(Picture{.width = 2, .height = 2, .pixels = {1, 2}}).status()));
  EXPECT_TRUE(absl::IsInternal(
      EncodePng(Picture{.width = 1, .height = 1, .channels = 2, .pixels = {1, 2}}).status()));
}

// 1/255 above -1 is 0.5 of a step of 2/255: there and just below it rounding decides.
TEST(PngTest, ModelRangeIsRoundedToNearestAndClamped) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> values = {
      -1.0f, 1.0f, -1 + 0.9f / 255, -1 + 1.1f / 255, 1 - 0.9f / 255, 0.2f, -7.0f, 7.0f,
      nan,   0.5f, infinity,        -infinity};
  const Picture picture = PictureFromModelRange(values, 1, 3, 4);
  EXPECT_EQ(picture.width, 4);
  EXPECT_EQ(picture.height, 3);
  EXPECT_EQ(picture.channels, 1);
  EXPECT_EQ(picture.pixels, (std::vector<uint8_t>{0, 255, 0, 1, 255, 153, 0, 255, 0, 191, 255, 0}));
}

TEST(PngTest, PlanesOfColourBecomeInterleaved) {
  // Two pixels: red falls, green rises, blue is off.
  const std::vector<float> values = {1, -1, -1, 1, -1, -1};
  const Picture picture = PictureFromModelRange(values, 3, 1, 2);
  EXPECT_EQ(picture.channels, 3);
  EXPECT_EQ(picture.width, 2);
  EXPECT_EQ(picture.pixels, (std::vector<uint8_t>{255, 0, 0, 0, 255, 0}));
}

TEST(PngTest, OtherChannelCountsBecomeGrayTilesSideBySide) {
  const std::vector<float> values = {-1, -1, -1, -1, 1, 1, 1, 1};  // Two channels of 2 x 2.
  const Picture picture = PictureFromModelRange(values, 2, 2, 2);
  EXPECT_EQ(picture.channels, 1);
  EXPECT_EQ(picture.width, 4);
  EXPECT_EQ(picture.height, 2);
  EXPECT_EQ(picture.pixels, (std::vector<uint8_t>{0, 0, 255, 255, 0, 0, 255, 255}));
}

TEST(PngTest, GridHasTwoBlackPixelsBetweenTilesAndNoneAround) {
  std::vector<Picture> tiles;
  for (const uint8_t shade : {10, 20, 30}) {
    tiles.push_back({.width = 2, .height = 1, .channels = 1, .pixels = {shade, shade}});
  }
  const Picture grid = Grid(tiles);  // Two columns, two rows, the last place empty.
  EXPECT_EQ(grid.width, 6);
  EXPECT_EQ(grid.height, 4);
  EXPECT_EQ(grid.pixels, (std::vector<uint8_t>{10, 10, 0, 0, 20, 20,  //
                                               0,  0,  0, 0, 0,  0,   //
                                               0,  0,  0, 0, 0,  0,   //
                                               30, 30, 0, 0, 0,  0}));
}

TEST(PngTest, GridHasCeilOfSquareRootColumns) {
  for (const auto& [count, columns, rows] : std::vector<std::array<int, 3>>{
           {1, 1, 1}, {2, 2, 1}, {4, 2, 2}, {5, 3, 2}, {9, 3, 3}, {10, 4, 3}, {64, 8, 8}}) {
    const Picture tile{.width = 3, .height = 5, .channels = 3, .pixels = std::vector<uint8_t>(45)};
    const Picture grid = Grid(std::vector<Picture>(count, tile));
    EXPECT_EQ(grid.width, columns * 5 - 2) << count;
    EXPECT_EQ(grid.height, rows * 7 - 2) << count;
    EXPECT_EQ(grid.pixels.size(), grid.width * grid.height * 3) << count;
  }
}

}  // namespace
}  // namespace langevin
