#include "data/contact_sheet.h"

#include <cmath>
#include <vector>

#include "gtest/gtest.h"
#include "tests/data/testing.h"

namespace langevin::data {
namespace {

using ContactSheetTest = DataTest;

TEST_F(ContactSheetTest, TilesShowTheRangeAndMarkWhatIsMissing) {
  const std::vector<float> values = {-1, 0, 1, 3, NAN, 0.5};
  const std::vector<uint8_t> mask = {1, 1, 1, 1, 1, 0};
  const Picture tile = Tile(values, mask, {2, 3, 1}, {}, 128);
  ASSERT_EQ(tile.channels, 3);
  ASSERT_EQ(tile.pixels.size(), 18u);
  EXPECT_EQ(tile.pixels[0], 0);
  EXPECT_EQ(tile.pixels[3], 128);
  EXPECT_EQ(tile.pixels[6], 255);
  EXPECT_EQ(tile.pixels[9], 255);
  for (const size_t missing : {12, 15}) {
    EXPECT_GT(tile.pixels[missing + 2], tile.pixels[missing]);  // Blue.
  }
  EXPECT_EQ(Tile(values, {}, {2, 3, 1}, {.low = 1, .high = 3}, 128).pixels[9], 255);
  EXPECT_EQ(Tile(values, {}, {2, 3, 1}, {.low = 1, .high = 3}, 128).pixels[6], 0);
}

TEST_F(ContactSheetTest, LargeImagesAreAveragedDown) {
  std::vector<float> values(256 * 512);
  for (size_t i = 0; i < values.size(); ++i) values[i] = i % 2 == 0 ? 1 : -1;
  const Picture tile = Tile(values, {}, {256, 512, 1}, {}, 128);
  EXPECT_EQ(tile.height, 64);
  EXPECT_EQ(tile.width, 128);
  for (const uint8_t value : tile.pixels) ASSERT_EQ(value, 128);
}

TEST_F(ContactSheetTest, HasARowForEachClass) {
  MakeTestDataset(Path("data"), SmallSpec(), /*train=*/100, /*validation=*/20, 16);
  const auto sheet = ContactSheet(files_, Path("data"));
  ASSERT_TRUE(sheet.ok()) << sheet.status();
  // SmallSpec is 4 x 3 pixels, labels are 0, 1 and 2.
  EXPECT_EQ(sheet->width, 12 * (3 + 2) - 2);
  EXPECT_EQ(sheet->height, 3 * (4 + 2) - 2);
  EXPECT_EQ(sheet->pixels, ContactSheet(files_, Path("data"))->pixels);
  EXPECT_FALSE(ContactSheet(files_, Path("nothing")).ok());
}

}  // namespace
}  // namespace langevin::data
