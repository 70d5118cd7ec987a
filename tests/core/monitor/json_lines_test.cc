#include "core/monitor/json_lines.h"

#include <unistd.h>

#include "tests/core/monitor/folder_fixture.h"

namespace langevin::monitor {
namespace {

class JsonLinesTest : public FolderFixture {
 protected:
  // What is left of `contents` when a run that stands at `images_seen` goes on.
  std::string CutBack(const std::string& contents, int64_t images_seen) {
    Write("lines", contents);
    const auto file = OpenJsonLines(files_, Path("lines"), images_seen);
    EXPECT_TRUE(file.ok()) << file.status();
    return Contents("lines");
  }
};

TEST_F(JsonLinesTest, LinesAboveTheCheckpointAreRemoved) {
  const std::string a = "{\"images_seen\":1}\n", b = "{\"images_seen\":2,\"x\":[3]}\n";
  EXPECT_EQ(CutBack(a + b, 2), a + b);
  EXPECT_EQ(CutBack(a + b, 1), a);
  EXPECT_EQ(CutBack(a + b, 0), "");
  EXPECT_EQ(CutBack("", 5), "");
}

TEST_F(JsonLinesTest, ATornLastLineIsRemoved) {
  const std::string a = "{\"images_seen\":1}\n";
  EXPECT_EQ(CutBack(a + "{\"images_seen\":2", 9), a);
  EXPECT_EQ(CutBack(a + "{\"images_seen\":2}", 9), a);   // The digits may have gone on.
  EXPECT_EQ(CutBack(a + std::string(100, '\0'), 9), a);  // What a loss of power leaves.
}

TEST_F(JsonLinesTest, DamageInTheMiddleCostsOnlyTheDamagedLines) {
  const std::string a = "{\"images_seen\":1}\n", b = "{\"images_seen\":2}\n";
  for (const std::string damage : {"garbage\n", "\n", "[1]\n", "{\"images_seen\":\"1\"}\n"}) {
    EXPECT_EQ(CutBack(a + damage + b, 2), a + b) << damage;
  }
}

TEST_F(JsonLinesTest, CuttingBackNeedsNoSpace) {
  Write("lines", "{\"images_seen\":1}\n{\"images_seen\":2}\n");
  FillDisk();
  EXPECT_TRUE(OpenJsonLines(files_, Path("lines"), 1).ok());
  EXPECT_EQ(Contents("lines"), "{\"images_seen\":1}\n");
}

// A link could lead the writer out of the run folder.
TEST_F(JsonLinesTest, LinksAreRefused) {
  const std::string link = testing::TempDir() + "json_lines_link";
  unlink(link.c_str());
  ASSERT_EQ(symlink("/dev/null", link.c_str()), 0);
  EXPECT_FALSE(OpenJsonLines(PosixFileSystem(), link, 0).ok());
  unlink(link.c_str());
}

TEST(JsonNumberTest, GivesEveryFloatBack) {
  for (const float value : {0.1f, 1.17549435e-38f, 3.40282347e+38f, -1.0f / 3}) {
    EXPECT_EQ(static_cast<float>(nlohmann::json::parse(JsonNumber(value)).get<double>()), value);
  }
}

}  // namespace
}  // namespace langevin::monitor
