#include "core/base/html.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace langevin {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(HtmlTest, EscapesWhatHasAMeaning) {
  EXPECT_EQ(HtmlEscape("a<b> & \"c\" 'd'"), "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;");
  EXPECT_EQ(HtmlEscape("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\n\t"),
            "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\n\t");
}

// File names and DICOM texts can hold anything; the page must stay valid UTF-8.
TEST(HtmlTest, WhatIsNoTextBecomesReplacementCharacters) {
  const std::string bad = "\xef\xbf\xbd";
  EXPECT_EQ(HtmlEscape("a\xff"
                       "b"),
            "a" + bad + "b");
  EXPECT_EQ(HtmlEscape("\xe2\x82"), bad + bad);            // Cut off.
  EXPECT_EQ(HtmlEscape("\xc0\xaf"), bad + bad);            // Overlong.
  EXPECT_EQ(HtmlEscape("\xed\xa0\x80"), bad + bad + bad);  // A surrogate.
  EXPECT_EQ(HtmlEscape(std::string_view("\0\x1b", 2)), bad + bad);
}

// The test vectors of RFC 4648.
TEST(HtmlTest, Base64) {
  EXPECT_EQ(Base64(""), "");
  EXPECT_EQ(Base64("f"), "Zg==");
  EXPECT_EQ(Base64("fo"), "Zm8=");
  EXPECT_EQ(Base64("foobar"), "Zm9vYmFy");
  EXPECT_EQ(Base64("\xfb\xff\xbf"), "+/+/");
}

TEST(HtmlTest, TitlesAndFactsAreText) {
  const std::string page =
      HtmlPage("<i>", "</p>", HtmlFactTable({{"<b>", "<script>"}}) + HtmlPng("x", "\" onload=\""));
  EXPECT_THAT(page, HasSubstr("<title>&lt;i&gt;</title>"));
  EXPECT_THAT(page, HasSubstr("<th>&lt;b&gt;</th><td>&lt;script&gt;</td>"));
  EXPECT_THAT(page, HasSubstr("alt=\"&quot; onload=&quot;\""));
  EXPECT_THAT(page, Not(HasSubstr("<script>")));
}

}  // namespace
}  // namespace langevin
