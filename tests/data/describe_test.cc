#include "data/describe.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/data/testing.h"

namespace langevin::data {
namespace {

using testing::HasSubstr;
using testing::Not;

using DescribeTest = DataTest;

TEST_F(DescribeTest, CountsWhyImagesWereLeftOut) {
  Manifest manifest =
      MakeTestDataset(Path("data"), SmallSpec(), /*train=*/10, /*validation=*/4, 16);
  EXPECT_THAT(*DescribeDataset(files_, Path("data")), HasSubstr("0 files or images"));
  manifest.rejected = 4;
  Write("data/manifest.textproto", ManifestToText(manifest));
  Write("data/rejected.csv",
        "file,reason,score,image\n"
        "\"a,\"\"b\"\"\n.png\",ends early (at byte 5),,\n"
        "b.png,ends early (at byte 7),,\n"
        "c.png,too dark,0.9,0\n"
        "d.png,\"its size, too large: 7\",,\n");
  const auto text = DescribeDataset(files_, Path("data"));
  ASSERT_TRUE(text.ok()) << text.status();
  EXPECT_THAT(*text, HasSubstr("4 files or images, listed in rejected.csv\n"
                               "  2  ends early\n  1  its size, too large\n  1  too dark\n"));
  EXPECT_THAT(*text, Not(HasSubstr("reason")));
}

}  // namespace
}  // namespace langevin::data
