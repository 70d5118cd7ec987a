#include "core/base/digest.h"

#include <string>

#include "gtest/gtest.h"

namespace langevin {
namespace {

TEST(DigestTest, IsTheHashOfXxHashTools) {
  Digest digest;
  digest.Update(std::as_bytes(std::span(std::string_view("a"))));
  EXPECT_EQ(digest.Hex(), "a96faf705af16834e6c632b61e964e1f");  // printf a | xxh128sum
}

TEST(DigestTest, DoesNotDependOnHowBytesAreCut) {
  const std::string text(5000, 'q');
  Digest whole, cut;
  whole.Update(std::as_bytes(std::span(text)));
  cut.Update(std::as_bytes(std::span(text).first(1234)));
  cut.Update(std::as_bytes(std::span(text).subspan(1234)));
  EXPECT_EQ(whole.Hex(), cut.Hex());
}

TEST(DigestTest, StringsDoNotRunIntoEachOther) {
  Digest a, b;
  a.UpdateString("ab");
  a.UpdateString("c");
  b.UpdateString("a");
  b.UpdateString("bc");
  EXPECT_NE(a.Hex(), b.Hex());
}

TEST(DigestTest, KeysDependOnTextAndSeed) {
  EXPECT_NE(HashString("order", 1), HashString("order", 2));
  EXPECT_NE(HashString("order", 1), HashString("noise", 1));
}

}  // namespace
}  // namespace langevin
