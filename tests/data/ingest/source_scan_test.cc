#include "data/ingest/source_scan.h"

#include <unistd.h>

#include <string>
#include <vector>

#include "data/ingest/csv.h"
#include "data/ingest/utf8.h"
#include "tests/data/testing.h"

namespace langevin::data {
namespace {

using std::string_literals::operator""s;

class SourceScanTest : public DataTest {
 protected:
  Sources Find(const std::string& name) {
    absl::StatusOr<Sources> sources = FindSources(files_, {Path(name)});
    EXPECT_TRUE(sources.ok()) << sources.status();
    return std::move(sources).value_or(Sources());
  }
  void ExpectError(const std::string& name, const std::string& why) {
    const absl::Status status = FindSources(files_, {Path(name)}).status();
    EXPECT_FALSE(status.ok());
    EXPECT_NE(status.message().find(why), absl::string_view::npos) << status;
    EXPECT_NE(status.message().find(BaseName(name)), absl::string_view::npos) << status;
  }
  static std::vector<std::string> Names(const Sources& sources) {
    std::vector<std::string> names;
    for (const SourceFile& file : sources.files) names.push_back(file.name());
    return names;
  }
  std::string ReasonOf(const Sources& sources, const std::string& name) {
    for (const Rejection& row : sources.rejected) {
      if (row.path == Path(name)) return row.reason;
    }
    return "none";
  }
};

TEST_F(SourceScanTest, MixedFoldersGoByNameAndElseByContents) {
  Write("in/cats/a.PNG", "");  // A known ending is believed until the file is decoded.
  Write("in/cats/b.tiff", "");
  Write("in/dogs/c", "\xff\xd8\xff\xe0 and so on");
  Write("in/dogs/deep/d.dat", "\x93NUMPY\1\0"s);
  Write("in/dogs/e", "%PDF-1.4");
  Write("in/dogs/notes.txt", "Nothing to see.\n");
  Write("in/dogs/.hidden.png", "");
  Write("in/dogs/nothing", "");
  symlink("/etc/hostname", Path("in/dogs/link.png").c_str());
  const Sources sources = Find("in");
  EXPECT_EQ(Names(sources),
            (std::vector<std::string>{"cats/a.PNG", "cats/b.tiff", "dogs/c", "dogs/deep/d.dat"}));
  EXPECT_EQ(sources.class_names, (std::vector<std::string>{"cats", "dogs"}));
  EXPECT_EQ(sources.files[3].label, 1);
  EXPECT_EQ(sources.files[2].format, "JPEG");
  EXPECT_EQ(sources.files[3].format, "NPY");
  EXPECT_EQ(sources.rejected.size(), 4);
  EXPECT_EQ(ReasonOf(sources, "in/dogs/e"), "is of no kind that can be read (it seems to be PDF)");
  EXPECT_EQ(ReasonOf(sources, "in/dogs/notes.txt"),
            "is of no kind that can be read (it seems to be text)");
  EXPECT_EQ(ReasonOf(sources, "in/dogs/nothing"), "is empty");
  EXPECT_EQ(ReasonOf(sources, "in/dogs/link.png"),
            "is a link or device; only regular files are read");
}

TEST_F(SourceScanTest, ASingleFile) {
  Write("one", "\x89PNG\r\n\x1a\n");
  EXPECT_EQ(Names(Find("one")), (std::vector<std::string>{"one"}));
  Write("other", "GIF89a");
  ExpectError("other", "it seems to be GIF");
}

TEST_F(SourceScanTest, SourceFilesAreSmall) { EXPECT_LE(sizeof(SourceFile), 224); }

TEST_F(SourceScanTest, TablesGiveLabelsGroupsSplitsAndConditions) {
  Write("in/a.png", "x");
  Write("in/sub/b, \"odd\".png", "xy");
  Write("elsewhere/c.png", "");
  Write("in/t.csv",
        "\xef\xbb\xbfsplit,file,label,group,condition\r\n"
        "val,a.png,dog,p1,1 2\r\n"
        "\r\n"
        "train,\"sub/b, \"\"odd\"\".png\",cat,\"two\nlines\",0.5  -1e3 \n"
        ",missing.png,cat,p3,0 0\n"
        "test,../elsewhere/c.png,cat,,0 0\n"
        "test," +
            Path("elsewhere/c.png") +
            ",emu,,3 4\n"
            "train,a.png,cat,,5 6");
  const Sources sources = Find("in/t.csv");
  ASSERT_EQ(sources.files.size(), 3);
  const SourceFile& b = sources.files[0];  // Split train comes first.
  EXPECT_EQ(b.name(), "sub/b, \"odd\".png");
  EXPECT_EQ(b.path, Path("in/sub/b, \"odd\".png"));
  EXPECT_EQ(b.bytes, 2);
  EXPECT_EQ(b.group, "two\nlines");
  EXPECT_EQ(b.condition, (std::vector<float>{0.5f, -1000}));
  EXPECT_EQ(sources.condition_size, 2);
  EXPECT_EQ(sources.files[1].split, Split::kValidation);
  EXPECT_EQ(sources.files[1].group, "p1");
  EXPECT_EQ(sources.files[2].path, Path("elsewhere/c.png"));
  EXPECT_EQ(sources.class_names, (std::vector<std::string>{"cat", "dog", "emu"}));
  EXPECT_EQ(b.label, 0);
  EXPECT_EQ(sources.files[1].label, 1);
  EXPECT_EQ(sources.files[2].label, 2);
  EXPECT_EQ(ReasonOf(sources, "in/missing.png"), "is not there (t.csv, line 6)");
  EXPECT_EQ(ReasonOf(sources, "in/../elsewhere/c.png").substr(0, 30),
            "lies outside the table's folde");
  EXPECT_EQ(ReasonOf(sources, "in/a.png"), "is listed twice (t.csv)");
}

TEST_F(SourceScanTest, TablesDoNotFollowLinksOutOfTheirFolder) {
  Write("in/t.csv", "file\nlink/c.png\n/nowhere/d.png\na.png\n");
  Write("in/a.png", "");
  Write("elsewhere/c.png", "");
  symlink(Path("elsewhere").c_str(), Path("in/link").c_str());
  const Sources sources = Find("in/t.csv");
  EXPECT_EQ(Names(sources), (std::vector<std::string>{"a.png"}));
  EXPECT_FALSE(sources.has_labels);
  EXPECT_EQ(ReasonOf(sources, "in/link/c.png").substr(0, 12), "lies outside");
}

TEST_F(SourceScanTest, NumbersAsLabelsStayWhatTheyAre) {
  Write("a.png", "");
  Write("b.png", "");
  Write("t.csv", "file,label\na.png,7\nb.png,0\n");
  const Sources sources = Find("t.csv");
  EXPECT_TRUE(sources.class_names.empty());
  EXPECT_TRUE(sources.has_labels);
  EXPECT_EQ(sources.files[0].label, 7);
}

TEST_F(SourceScanTest, WrongTablesNameTheLine) {
  Write("a.png", "");
  const auto expect = [this](const std::string& table, const std::string& why) {
    Write("t.csv", table);
    ExpectError("t.csv", why);
  };
  expect("", "is empty");
  expect("file,labels\na.png,1\n", "unknown column \"labels\"");
  expect("label\n1\n", "no column file");
  expect("file,file\na,b\n", "column file twice");
  expect("file,label\na.png\n", "line 2 has 1 fields, the header has 2");
  expect("file,label\na.png,1\n\na.png,\n", "line 4 has none");
  expect("file,split\na.png,both\n", "line 2 has the split \"both\"");
  expect("file,condition\na.png,1 red\n",
         "line 2 has the condition \"1 red\"; conditions are finite");
  expect("file,condition\na.png,nan\n", "line 2 has the condition \"nan\"");
  expect("file,condition\na.png,1 2\nb.png,\n",
         "line 3 has a condition of 0 numbers, and line 2 one of 2");
  expect("file\n\"a.png\n", "line 2: a quoted field is not closed");
  expect("file\n\"a.png\"x\n", "line 2: a comma or the line's end is missing");
  expect("file\na\"b.png\n", "line 2: a quote stands inside");
  expect("file\n\xc3\x28.png\n", "line 2: is not UTF-8");
  expect("file\n,\n", "line 2 has 2 fields");
  expect("file,label\n,1\n", "line 2 names no file");
  Write("in/c/a.png", "");
  Write("t.csv", "file,label\na.png,1\n");
  EXPECT_NE(FindSources(files_, {Path("t.csv"), Path("in")})
                .status()
                .message()
                .find("labels are numbers"),
            absl::string_view::npos);
}

TEST_F(SourceScanTest, AllInputsHaveConditionsOrNone) {
  Write("a.png", "");
  Write("in/b.png", "");
  Write("t.csv", "file,condition\na.png,1 2\n");
  const auto sources = FindSources(files_, {Path("t.csv"), Path("in")});
  EXPECT_NE(sources.status().message().find("has a condition of 0 numbers, others have one of 2"),
            absl::string_view::npos)
      << sources.status();
}

TEST(Utf8Test, TellsItFromOtherBytes) {
  EXPECT_TRUE(IsUtf8("a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"));
  for (const char* bad :
       {"\x80", "\xc0\x80", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"}) {
    EXPECT_FALSE(IsUtf8(bad));
  }
  EXPECT_EQ(PrintableText("a\xc3\xa4\x1b\x80z\xe2\x80\xae", 100), "a\xc3\xa4??z?");
  EXPECT_EQ(PrintableText("\xc3\xa4\xc3\xa4", 3), "\xc3\xa4");
}

}  // namespace
}  // namespace langevin::data
